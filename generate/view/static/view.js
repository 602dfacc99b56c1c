// The view: what it shows is in its address, and whatever comes from the server is put in as text. Holds no state but the address, the rows
// of the page and the pair that is open.
"use strict";

const $ = (id) => document.getElementById(id);
const FILTERS = ["run", "state", "principle", "judge", "source", "outcome", "flipped", "people", "split", "tag", "least", "most", "sort", "compare"];
const ROLES = { system: "System", user: "User", assistant: "Assistant", tool: "Tool" };
const STATES = { exported: "exported", people: "left to people", judged: "judged, not exported", failed: "no opinion" };
const SIDES = { chosen: "chosen", rejected: "rejected", tie: "tie", skip: "skipped", low_mass: "low label mass", unparsed: "not readable", refused: "refused", error: "error" };
let known = null;
let rows = [];
let total = 0;
let asked = 0;

const state = () => new URLSearchParams(location.search);
const number = (value) => Number(value).toLocaleString("en");
const share = (p) => (p === null || p === undefined ? "–" : p.toFixed(3));
const wide = () => matchMedia("(min-width: 761px)").matches;

function make(tag, options = {}, ...inner) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...inner.filter((one) => one !== null && one !== undefined));
  return made;
}

async function ask(path) {
  const answer = await fetch(path, { credentials: "same-origin", cache: "no-store" });
  const text = await answer.text();
  let value = null;
  try { value = JSON.parse(text); } catch { value = null; }
  if (!answer.ok) throw new Error((value && value.error) || text.trim() || `the server answered ${answer.status}`);
  return value;
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

// Goes to another view: changes what is given, keeps the rest. A new filter begins at page 1 with no pair open.
function go(changes, { replace = false } = {}) {
  const next = state();
  for (const [name, value] of Object.entries(changes)) value ? next.set(name, value) : next.delete(name);
  if (!("page" in changes) && !("open" in changes)) { next.delete("page"); next.delete("open"); }
  const query = next.toString();
  const address = query ? `/?${query}` : "/";
  if (address !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", address);
  return "open" in changes && Object.keys(changes).length === 1 ? showOpen() : load();
}

function option(value, text) { return make("option", { value, text }); }

function fill() {
  const all = known.values;
  for (const select of document.querySelectorAll("select[data-values]")) {
    const values = all[select.dataset.values] || [];
    const words = select.name === "state" ? STATES : {};
    select.replaceChildren(option("", "any"));
    select.parentElement.hidden = !values.some(([value]) => value) && !state().get(select.name);
    for (const [value, count] of values) {
      if (value) select.append(option(value, `${words[value] || value} (${number(count)})`));
    }
  }
  $("compare").replaceChildren(option("", "nothing"), ...known.sides.map((name) => option(name, name.replace(/@earlier$/, " before its principles changed"))));
  $("title").textContent = all.run.map(([name]) => name).join(", ");
  document.title = `${$("title").textContent} · Tenet view`;
}

function showFilters(query) {
  let set = 0;
  for (const name of FILTERS) {
    const field = $("filters").elements[name];
    const value = query.get(name) || "";
    if (field.tagName === "SELECT" && value && ![...field.options].some((one) => one.value === value)) field.append(option(value, value));
    field.value = value;
    field.classList.toggle("set", Boolean(value));
    if (value) set += 1;
  }
  if (document.activeElement !== $("text")) $("text").value = query.get("text") || "";
  $("active").textContent = set ? ` (${set})` : "";
  const filters = new URLSearchParams(query);
  for (const name of ["page", "open", "compare", "sort"]) filters.delete(name);
  const links = known.formats.map((form) => {
    filters.set("format", form);
    return make("a", { href: `/api/download?${filters}`, download: "", text: form });
  });
  $("downloads").replaceChildren("Save as", ...links);
}

async function load() {
  const query = state();
  const mine = (asked += 1);
  if (query.get("compare") && !query.get("run")) query.set("run", known.values.run[0][0]);
  showFilters(query);
  $("rows").setAttribute("aria-busy", "true");
  const words = new URLSearchParams(query);
  words.delete("open");
  try {
    const found = await ask(`/api/pairs?${words}`);
    if (mine !== asked) return;
    notice("");
    showRows(found, query);
    await showFiles(query);
  } catch (error) {
    if (mine === asked) notice(error.message === "Failed to fetch" ? "The server does not answer: start `tenet view` again and open its address." : error.message);
  } finally {
    $("rows").removeAttribute("aria-busy");
  }
  await showOpen();
}

function showRows(found, query) {
  rows = found.rows;
  total = found.total;
  const page = Math.max(1, Number(query.get("page")) || 1);
  const pages = Math.max(1, Math.ceil(total / known.page_size));
  $("count").replaceChildren(make("b", { text: number(total) }), total === 1 ? " pair" : " pairs");
  if (query.get("compare")) {
    const part = total ? ` (${((100 * found.differ) / total).toFixed(1)} %)` : "";
    $("count").append(" on both sides; ", make("b", { text: number(found.differ) }), ` verdicts differ${part}`);
  }
  $("page").textContent = `page ${number(page)} of ${number(pages)}`;
  $("before").disabled = page <= 1;
  $("after").disabled = page >= pages;
  $("rows").replaceChildren(...rows.map(row));
  $("rows").scrollTop = 0;
  if (!rows.length) $("rows").append(make("li", {}, make("p", { class: "empty", text: query.get("compare") ? "No pair stands on both sides." : "No pair is like this." })));
}

function row(one) {
  const several = known.values.run.length > 1;
  const about = [several ? one.run : "", STATES[one.state], one.principles.filter(Boolean).join(", "), one.source && one.source !== "ai" ? one.source : ""].filter(Boolean).join(" · ");
  const marks = [one.differs ? "verdict differs" : "", one.flipped ? "flipped" : "", one.voted ? `people: ${SIDES[one.voted]}` : ""].filter(Boolean).join(" · ");
  const p = one.other_p === undefined ? share(one.p) : `${share(one.p)} → ${share(one.other_p)}`;
  const button = make("button", { type: "button", "data-key": `${one.run}:${one.key}`, onclick: () => open(one, true) },
    make("span", { class: "excerpt", text: one.excerpt || "(empty)" }), make("span", { class: "p", text: p, title: "P(chosen is better)" }),
    make("span", { class: "about" }, make("span", { class: "mark", text: marks }), marks ? ` · ${about}` : about));
  return make("li", {}, button);
}

function open(one, read) {
  if (read) document.body.classList.add("reading");
  return go({ open: `${one.run}:${one.key}` }, { replace: Boolean(state().get("open")) });
}

async function showOpen() {
  const wanted = state().get("open") || "";
  for (const button of $("rows").querySelectorAll("button")) {
    const own = button.dataset.key === wanted;
    button.setAttribute("aria-current", String(own));
    if (own) button.scrollIntoView({ block: "nearest" });
  }
  if (!wanted) {
    document.body.classList.remove("reading");
    $("pair").replaceChildren(make("p", { class: "empty", text: "Choose a pair." }));
    return;
  }
  if (!wide()) document.body.classList.add("reading");
  const cut = wanted.lastIndexOf(":");
  const words = new URLSearchParams({ run: wanted.slice(0, cut), key: wanted.slice(cut + 1) });
  try {
    const told = await ask(`/api/pair?${words}`);
    if ((state().get("open") || "") !== wanted) return;
    const beside = rows.find((one) => `${one.run}:${one.key}` === wanted);
    $("pair").replaceChildren(...pair(told, beside));
    $("pair").scrollTop = 0;
  } catch (error) {
    $("pair").replaceChildren(make("p", { class: "empty", text: error.message }));
  }
}

function text(content) { return make("div", { class: "text", text: content }); }

function response(side, name) {
  const parts = side.parts.map(([words, differs]) => (differs ? make("mark", { text: words }) : document.createTextNode(words)));
  const label = name === "chosen" ? "Chosen" : "Rejected";
  return make("section", { class: "response", "aria-label": label },
    make("header", {}, make("b", { text: label }), make("span", { text: `${side.policy ? `${side.policy} · ` : ""}${number(side.length)} characters` })),
    make("div", { class: "text" }, ...parts));
}

function gauge(p) {
  if (p === null || p === undefined) return make("span", { text: "–" });
  const step = Math.round(p * 20) * 5;
  return make("span", {}, share(p), make("span", { class: "gauge", "aria-hidden": "true" }, make("i", { class: `g${step}` })));
}

function table(head, lines) {
  const heads = head.map((one) => make("th", { scope: "col", text: one }));
  const body = lines.map((line) => make("tr", {}, ...line.map((one) => make("td", {}, one === null || one === undefined ? "" : one))));
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": head.join(", ") }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...body)));
}

function judged(title, lines) {
  if (!lines.length) return [];
  const cells = lines.map((one) => [(one.principle || "all principles") + (one.old ? " (earlier wording)" : ""), one.judge, one.shown_first, SIDES[one.outcome] || one.outcome, gauge(one.p), share(one.label_mass)]);
  return [make("h2", { text: title }), table(["Principle", "Judge", "Shown first", "Says", "P(chosen is better)", "Label mass"], cells)];
}

function note(head, small, content) {
  return make("div", { class: "note" }, make("b", { text: head }), " ", make("small", { text: small }), text(content));
}

function pair(told, beside) {
  const tags = [STATES[told.state], told.source, told.split, ...told.tags].filter(Boolean).map((one) => make("span", { text: one }));
  if (told.flipped) tags.push(make("span", { class: "mark", text: "orders name different winners" }));
  if (beside && beside.other_p !== undefined) {
    tags.push(make("span", { class: beside.differs ? "mark" : "", text: `here ${share(beside.p)}, other side ${share(beside.other_p)}` }));
  }
  const turns = told.prompt.map((turn) => make("div", { class: `turn ${ROLES[turn.role] ? turn.role : ""}` }, make("span", { class: "role", text: ROLES[turn.role] || turn.role }), text(turn.text)));
  const summary = [["P(chosen is better)", gauge(told.p)], ["chosen shown first", gauge(told.shown_first)], ["chosen shown second", gauge(told.shown_second)],
    ["Margin (log-odds)", share(told.margin)], ["Weight", told.weight === null ? "–" : String(Number(told.weight.toPrecision(3)))], ["Answers", String(told.judgements)]];
  const written = told.asked.concat(told.members).filter((one) => one.critique || one.thinking || one.reason);
  const found = [
    make("button", { type: "button", id: "back", class: "quiet", text: "← Pairs", onclick: close }),
    make("div", { class: "tags" }, ...tags),
    make("section", { "aria-label": "Prompt" }, ...turns),
    make("div", { class: "sides" }, response(told.chosen, "chosen"), response(told.rejected, "rejected")),
    make("h2", { text: "Verdict" }),
    table(summary.map(([name]) => name), [summary.map(([, value]) => value)]),
  ];
  if (told.wording.length) {
    found.push(make("h2", { text: told.wording.length > 1 ? "Principles" : "Principle" }), ...told.wording.map((one) => note(one.id, "", one.text)));
  }
  found.push(...judged("Answers", told.asked), ...judged("Members of the panel", told.members), ...judged("Answers under earlier principles", told.superseded));
  if (told.ratings.length) {
    found.push(make("h2", { text: "Ratings" }), table(["Response", "Principle", "Judge", "Score", "Scale"], told.ratings.map((one) => [one.side, one.principle || "all", one.judge, share(one.score), `${one.low} to ${one.high}`])));
  }
  if (told.critiques.length || written.length) {
    found.push(make("h2", { text: "Critiques" }), ...told.critiques.map((one) => note(one.side, `${one.principle} · ${one.judge} · follows it: ${one.verdict}`, one.text || one.reason)));
    found.push(...written.map((one) => note(`before its verdict, ${one.shown_first} shown first`, one.judge, [one.thinking, one.critique, one.reason].filter(Boolean).join("\n\n"))));
  }
  if (told.votes.length) {
    found.push(make("h2", { text: "People" }), table(["Person", "Says", "How clearly", "Time", "Comment"], told.votes.map((one) => [one.annotator, SIDES[one.said] || one.said, one.strength === null ? "" : share(one.strength), one.time, one.comment])));
  }
  const facts = Object.entries(told.provenance).map(([name, value]) => make("div", {}, make("dt", { text: name }), make("dd", { text: String(value) })));
  found.push(make("h2", { text: "Where it comes from" }), make("dl", { class: "facts" }, ...facts));
  return found;
}

async function showFiles(query) {
  const shown = Boolean(query.get("compare"));
  $("files").hidden = !shown;
  if (!shown) return;
  const told = await ask(`/api/files?${new URLSearchParams({ run: query.get("run"), compare: query.get("compare") })}`);
  const words = (one) => (one === null ? "not there" : `${one.text}\n${one.question} (${one.tier}, weight ${one.weight})`);
  $("wordings").replaceChildren(...(told.wordings.length ? told.wordings.map((one) => make("section", {}, make("b", { text: one.id }), note("this side", "", words(one.left)), note("other side", "", words(one.right)))) : [make("p", { text: "None: both sides go by the same principles, as far as they can be read." })]));
}

function close() {
  document.body.classList.remove("reading");
  const wanted = state().get("open");
  const button = [...$("rows").querySelectorAll("button")].find((one) => one.dataset.key === wanted);
  if (wide()) { if (button) button.focus(); } else go({ open: "" });
}

function step(by) {
  if (!rows.length) return;
  const wanted = state().get("open");
  const at = rows.findIndex((one) => `${one.run}:${one.key}` === wanted);
  const next = Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by));
  open(rows[next], false);
}

function turn(by) {
  const page = Math.max(1, Number(state().get("page")) || 1) + by;
  if (page >= 1 && page <= Math.ceil(total / known.page_size)) go({ page: page > 1 ? String(page) : "", open: "" });
}

const KEYS = {
  "/": () => { $("text").focus(); $("text").select(); }, j: () => step(1), k: () => step(-1), n: () => turn(1), p: () => turn(-1),
  Enter: () => { document.body.classList.add("reading"); $("pair").focus(); }, Escape: close, "?": () => $("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const tag = event.target.tagName;
  if (event.key === "Escape" && ["INPUT", "SELECT"].includes(tag)) { event.target.blur(); return; }
  if (["INPUT", "SELECT", "TEXTAREA", "DIALOG"].includes(tag) || (event.key === "Enter" && ["BUTTON", "A", "SUMMARY"].includes(tag))) return;
  const act = KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});
$("search").addEventListener("submit", (event) => { event.preventDefault(); $("text").blur(); go({ text: $("text").value.trim() }); });
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("change", (event) => go({ [event.target.name]: event.target.value }));
$("text").addEventListener("search", () => { if (!$("text").value) go({ text: "" }); });
$("clear").addEventListener("click", () => { history.pushState(null, "", "/"); $("text").value = ""; load(); });
$("before").addEventListener("click", () => turn(-1));
$("after").addEventListener("click", () => turn(1));
$("toggle").addEventListener("click", () => {
  const shown = $("filters").classList.toggle("open");
  $("toggle").setAttribute("aria-expanded", String(shown));
});
$("link").addEventListener("click", async () => {
  try { await navigator.clipboard.writeText(location.href); $("link").textContent = "Copied"; } catch { $("link").textContent = "Copy the address"; }
  setTimeout(() => { $("link").textContent = "Copy link"; }, 1500);
});
window.addEventListener("popstate", load);

(async () => {
  try {
    known = await ask("/api/start");
    fill();
    await load();
  } catch (error) {
    notice(error.message);
  }
})();
