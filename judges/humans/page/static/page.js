// The labelling page: shows what the server gives and sends what a person chooses. An answer is kept in this browser until the server has
// said that it is on the disk, so that one whose acknowledgement was lost is sent again, and is one label all the same.
"use strict";

const $ = (id) => document.getElementById(id);
const PENDING = "tenet-pending";
const NAME = "tenet-annotator";
const ROLES = { system: "System", user: "User", assistant: "Assistant", tool: "Tool" };
const RETRY_MS = 1500;
let annotator = "";
let current = null;
let last = null;
let busy = false;

class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, { ...options, credentials: "same-origin", cache: "no-store" });
  const text = await answer.text();
  let value = null;
  try { value = JSON.parse(text); } catch { value = null; }
  if (!answer.ok) throw new Refused((value && value.error) || text.trim() || `the server answered ${answer.status}`, answer.status);
  return value;
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

function pendingKey() { return `${PENDING}:${annotator}`; }

// Sends what waits, again and again until the server has it or refuses it for good.
async function send(path, body) {
  if (busy) return;
  busy = true;
  document.body.classList.add("busy");
  localStorage.setItem(pendingKey(), JSON.stringify({ path, body }));
  try {
    for (;;) {
      try {
        const state = await ask(path, body);
        localStorage.removeItem(pendingKey());
        notice("");
        show(state);
        return;
      } catch (error) {
        if (error instanceof Refused && error.status !== 403 && error.status < 500) {
          localStorage.removeItem(pendingKey());
          await load();
          notice(error.message);
          return;
        }
        const why = error instanceof Refused ? error.message : "the server does not answer: start `tenet labels page` again";
        notice(`Not saved yet: ${why}. Your last answer is kept in this browser and will be sent again.`);
        await new Promise((done) => setTimeout(done, RETRY_MS));
      }
    }
  } finally {
    busy = false;
    document.body.classList.remove("busy");
  }
}

async function load() {
  try {
    show(await ask(`/api/item?annotator=${encodeURIComponent(annotator)}`));
  } catch (error) {
    $("controls").hidden = false;
    notice(error instanceof Refused ? error.message : "The server does not answer: start `tenet labels page` again and open its address.");
  }
}

function choose(choice) {
  if (!current || busy) return;
  const picked = document.querySelector("input[name=strength]:checked");
  send("/api/label", {
    key: current.key, first: current.first, occasion: current.occasion, annotator, choice, time: new Date().toISOString(),
    strength: picked ? Number(picked.value) : null, comment: $("comment").value,
  });
}

function undo() {
  if (last && !busy) send("/api/undo", { annotator, label: last, time: new Date().toISOString() });
}

const percent = (share) => `${(100 * share).toFixed(0)} %`;

function fact(list, name, value, note) {
  const row = document.createElement("div");
  const dt = document.createElement("dt");
  const dd = document.createElement("dd");
  dt.textContent = name;
  dd.textContent = value;
  if (note) {
    const small = document.createElement("small");
    small.textContent = note;
    dd.append(small);
  }
  row.append(dt, dd);
  list.append(row);
}

function showTally(state) {
  const { progress, between, within, worth } = state;
  $("count").textContent = `${progress.done} of ${progress.pairs}`;
  $("meter").setAttribute("aria-valuemax", progress.pairs);
  $("meter").setAttribute("aria-valuenow", progress.done);
  $("fill").style.width = `${(100 * progress.done) / Math.max(1, progress.pairs)}%`;
  const list = $("facts");
  list.replaceChildren();
  fact(list, "Yours", String(progress.own), progress.skipped ? `${progress.skipped} skipped` : "");
  const others = Object.keys(progress.people).filter((name) => name !== annotator).length;
  if (others) fact(list, "Other people", String(others), "");
  fact(list, "You, asked again", within.of ? `${within.same} of ${within.of} alike` : "not yet");
  fact(list, "Two people", between.of ? `${between.same} of ${between.of} alike` : "not yet");
  if (worth.agreement !== null) fact(list, "Judge and people", percent(worth.agreement), `${percent(worth.low)} to ${percent(worth.high)}`);
  if (state.mends !== null) fact(list, "A label mends a verdict", `1 in ${Math.max(1, Math.round(1 / Math.max(state.mends, 0.001)))}`, "expected, of the pairs left");
  const next = (200 * worth.next_narrow).toFixed(1);
  const labels = worth.next === 1 ? "label" : `${worth.next} labels`;
  if (!worth.next) $("advice").textContent = state.item ? "Every pair has a label; the ones shown now are asked about again, of a second person or of you." : "";
  else if (worth.pays) $("advice").textContent = `The next ${labels} narrow${worth.next === 1 ? "s" : ""} the interval by about ${next} points.`;
  else $("advice").textContent = `The next ${labels} would narrow the interval by ${next} points only: for measuring the judge, more hardly pay.`;
}

function show(state) {
  current = state.item;
  last = state.last;
  $("welcome").hidden = true;
  $("finished").hidden = current !== null;
  $("work").hidden = current === null;
  $("controls").hidden = current === null;
  $("undo").disabled = !last;
  $("undo-end").disabled = !last;
  showTally(state);
  for (const input of document.querySelectorAll("input[name=strength]")) input.checked = false;
  $("comment").value = "";
  $("comment").blur();
  if (!current) {
    $("said").textContent = "Nothing left to label.";
    return;
  }
  const turns = $("turns");
  turns.replaceChildren();
  for (const turn of current.prompt) {
    const box = document.createElement("div");
    box.className = `turn ${turn.role in ROLES ? turn.role : "other"}`;
    const role = document.createElement("span");
    role.className = "role";
    role.textContent = ROLES[turn.role] || turn.role;
    const text = document.createElement("div");
    text.className = "text";
    text.innerHTML = turn.html; // made safe by the server: no tag in it is the text's own
    box.append(role, text);
    turns.append(box);
  }
  $("text-1").innerHTML = current.responses[0];
  $("text-2").innerHTML = current.responses[1];
  const principles = $("principles");
  principles.replaceChildren();
  for (const one of current.principles) {
    const row = document.createElement("li");
    const name = document.createElement("b");
    name.textContent = one.id;
    row.append(name, document.createTextNode(one.text));
    principles.append(row);
  }
  $("principles-box").hidden = current.principles.length === 0;
  $("work").dataset.key = current.key;
  window.scrollTo(0, 0);
  $("said").textContent = `Pair ${state.progress.own + 1}.`;
}

function greet() {
  current = null;
  for (const id of ["work", "finished", "controls"]) $(id).hidden = true;
  $("welcome").hidden = false;
  $("who").textContent = "";
  $("name").focus();
}

async function begin(name) {
  annotator = name.trim();
  sessionStorage.setItem(NAME, annotator);
  $("who").textContent = annotator;
  $("name").blur();  // hidden or not, a field in focus would swallow the first key
  const waiting = localStorage.getItem(pendingKey());
  await load();
  if (waiting) {
    const { path, body } = JSON.parse(waiting);
    await send(path, body);
  }
}

const KEYS = { 1: "1", 2: "2", t: "tie", s: "skip" };
const STRENGTHS = { 7: "0", 8: "0.5", 9: "1" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target instanceof HTMLInputElement && event.target.type !== "radio") {
    if (event.key === "Escape" || (event.key === "Enter" && event.target.id === "comment")) {
      event.target.blur();
      event.preventDefault();
    }
    return;
  }
  const key = event.key.toLowerCase();
  if (key in STRENGTHS && current) {
    document.querySelector(`input[name=strength][value="${STRENGTHS[key]}"]`).checked = true;
  } else if (key in KEYS && current) {
    choose(KEYS[key]);
  } else if (key === "u") {
    undo();
  } else if (key === "c" && current) {
    $("comment").focus();
  } else {
    return;
  }
  event.preventDefault();
});

for (const button of document.querySelectorAll("[data-choice]")) button.addEventListener("click", () => choose(button.dataset.choice));
$("undo").addEventListener("click", undo);
$("undo-end").addEventListener("click", undo);
$("who").addEventListener("click", () => { if (!busy) greet(); });
$("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("name").value.trim()) begin($("name").value);
});

ask("/api/start").then((page) => {
  $("title").textContent = `${page.title} · ${page.queue}`;
  document.title = `${page.title} · labelling · Tenet`;
  const name = sessionStorage.getItem(NAME) || page.annotator;
  if (name) begin(name); else greet();
}).catch((error) => {
  $("controls").hidden = false;
  notice(error.message);
});
