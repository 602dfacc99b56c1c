-- The tables of an index, and how one batch of shards goes into them. Names in braces are put in by generate.view.index.
-- name: tables
CREATE TABLE prompts (no INTEGER, id VARCHAR, shard INTEGER, roles VARCHAR[], turns VARCHAR[], tags VARCHAR[], words VARCHAR);
CREATE TABLE texts (no INTEGER, id VARCHAR, policy VARCHAR, text VARCHAR, words VARCHAR);
CREATE TABLE pairs (
    no INTEGER, key VARCHAR, pair_id VARCHAR, prompt INTEGER, chosen INTEGER, rejected INTEGER, state VARCHAR, source VARCHAR,
    p DOUBLE, shown_first DOUBLE, shown_second DOUBLE, margin DOUBLE, weight DOUBLE, flipped BOOLEAN, judgements INTEGER,
    principles VARCHAR[], versions VARCHAR[], judges VARCHAR[], outcomes VARCHAR[], split VARCHAR, tags VARCHAR[], longer INTEGER,
    same UBIGINT, p_low DOUBLE
);
CREATE TABLE earlier (same UBIGINT, p_low DOUBLE);
-- name: batch
CREATE OR REPLACE TEMP TABLE new_prompts AS
SELECT {prompts} + row_number() OVER (ORDER BY _key, id) - 1 AS no, id, shard, roles, turns, tags,
    lower(array_to_string(turns, chr(10))) AS words
FROM (
    SELECT id, any_value(_key) AS _key, any_value(tags) AS tags, any_value(list_transform(messages, lambda m: m.role)) AS roles,
        any_value(list_transform(messages, lambda m: m.content)) AS turns,
        any_value(regexp_extract(filename, '([0-9]+)[.]parquet$', 1)::INTEGER) AS shard
    FROM {prompt_rows} GROUP BY id
);
CREATE OR REPLACE TEMP TABLE new_texts AS
SELECT {texts} + row_number() OVER (ORDER BY id) - 1 AS no, id, policy, text, lower(text) AS words
FROM (SELECT id, any_value(policy) AS policy, any_value(text) AS text FROM {text_rows} GROUP BY id);
CREATE OR REPLACE TEMP TABLE said AS
SELECT prompt_id, least(first_id, second_id) AS a, greatest(first_id, second_id) AS b, count(*) AS judgements,
    list_sort(list(DISTINCT judge)) AS judges, list_sort(list(DISTINCT outcome)) AS outcomes,
    list_sort(list(DISTINCT coalesce(principle, ''))) AS principles,
    list_sort(list(DISTINCT coalesce(principle, '') || '@' || principle_digest) FILTER (principle_digest IS NOT NULL)) AS versions
FROM {judgement_rows} GROUP BY ALL;
CREATE OR REPLACE TEMP TABLE taken AS
SELECT prompt_id, least(chosen_id, rejected_id) AS a, greatest(chosen_id, rejected_id) AS b,
    arg_min({{'id': id, 'chosen_id': chosen_id, 'state': state, 'source': source, 'p': p_chosen, 'margin': score_chosen - score_rejected,
        'weight': weight, 'flipped': flipped, 'judgements': judgements, 'principles': principles, 'versions': principle_versions}}, state) AS it
FROM {pair_rows} GROUP BY ALL;
CREATE OR REPLACE TEMP TABLE weighed AS
SELECT prompt_id, a_id AS a, b_id AS b, any_value({{'p_a': p_a, 'shown_a': p_shown_a, 'shown_b': p_shown_b, 'flipped': flipped,
    'judgements': judgements, 'principles': principles, 'versions': principle_versions}}) AS it
FROM {preference_rows} GROUP BY ALL;
CREATE OR REPLACE TEMP TABLE new_pairs AS
WITH every AS (
    SELECT prompt_id, a, b FROM said UNION SELECT prompt_id, a, b FROM taken UNION SELECT prompt_id, a, b FROM weighed
), joined AS (
    SELECT every.*, said.judges, said.outcomes, said.principles AS asked, said.versions AS worded, said.judgements AS answers,
        taken.it AS t, weighed.it AS w,
        coalesce(taken.it.chosen_id, CASE WHEN weighed.it.p_a < 0.5 THEN b ELSE a END) AS chosen_id
    FROM every LEFT JOIN said USING (prompt_id, a, b) LEFT JOIN taken USING (prompt_id, a, b) LEFT JOIN weighed USING (prompt_id, a, b)
), told AS (
    SELECT *, CASE WHEN chosen_id = a THEN b ELSE a END AS rejected_id,
        coalesce(t.p, greatest(w.p_a, 1 - w.p_a)) AS p,
        CASE WHEN chosen_id = a THEN w.shown_a ELSE 1 - w.shown_b END AS shown_first,
        CASE WHEN chosen_id = a THEN w.shown_b ELSE 1 - w.shown_a END AS shown_second
    FROM joined
)
SELECT {pairs} + row_number() OVER (ORDER BY p.no, coalesce(t.state, 'z'), abs(told.p - 0.5) DESC, a, b) - 1 AS no,
    left(md5(p.id || ' ' || a || ' ' || b), 16) AS key, t.id AS pair_id, p.no AS prompt, c.no AS chosen, r.no AS rejected,
    coalesce(t.state, CASE WHEN w IS NULL THEN 'failed' ELSE 'judged' END) AS state, coalesce(t.source, '') AS source,
    told.p, shown_first, shown_second, coalesce(t.margin, ln(greatest(told.p, 1e-6) / greatest(1 - told.p, 1e-6))) AS margin, t.weight,
    coalesce(w.flipped, t.flipped, false) AS flipped, coalesce(w.judgements, t.judgements, answers, 0)::INTEGER AS judgements,
    coalesce(w.principles, t.principles, asked, []) AS principles, coalesce(w.versions, t.versions, worded, []) AS versions,
    coalesce(judges, []) AS judges, coalesce(outcomes, []) AS outcomes, split_of(p.id) AS split, coalesce(p.tags, []) AS tags,
    (length(c.text) - length(r.text))::INTEGER AS longer,
    hash(p.id, least(bare(c.text), bare(r.text)), greatest(bare(c.text), bare(r.text))) AS same,
    CASE WHEN bare(c.text) <= bare(r.text) THEN told.p ELSE 1 - told.p END AS p_low
FROM told JOIN new_prompts p ON p.id = told.prompt_id JOIN new_texts c ON c.id = chosen_id JOIN new_texts r ON r.id = rejected_id;
INSERT INTO prompts SELECT * FROM new_prompts ORDER BY no;
INSERT INTO texts SELECT * FROM new_texts ORDER BY no;
INSERT INTO pairs SELECT * FROM new_pairs ORDER BY no;
INSERT INTO earlier
SELECT hash(prompt_id, least(x, y), greatest(x, y)), avg(CASE WHEN x <= y THEN p ELSE 1 - p END)
FROM (
    SELECT j.prompt_id, bare(f.text) AS x, bare(s.text) AS y,
        coalesce(j.p_first, CASE j.outcome WHEN 'first' THEN 0.75 WHEN 'second' THEN 0.25 ELSE 0.5 END) AS p
    FROM {superseded_rows} j JOIN new_texts f ON f.id = j.first_id JOIN new_texts s ON s.id = j.second_id
    WHERE j.outcome IN ('first', 'second', 'tie')
) GROUP BY ALL;
