"use strict";
// Shows one row after the other and keeps what a person decides. Texts of the data reach the page as text, never as markup.

const LETTERS = "ABCDEFGHIJ";
const DECISIONS = ["keep", "drop", "skip"];
const WORDS = { keep: "kept", mend: "mended", drop: "dropped", skip: "skipped" };
const OF_REFUSED = { keep: "brought back", mend: "brought back, mended", drop: "stays out", skip: "skipped" };

const data = JSON.parse(document.getElementById("review-data").textContent);
const byId = new Map(data.rows.map((row) => [row.id, row]));
const place = `foundry-review-${data.digest}-${data.page}`;
const part = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));

// What is kept: who decides, the row in sight, decisions by id, and what each step of undoing brings back.
const state = { reviewer: "", at: 0, decisions: Object.create(null), steps: [] }; // an id may be any word
let mode = "who";

// Keeping

function remember() {
  try {
    localStorage.setItem(place, JSON.stringify(state));
  } catch {
    say("This browser keeps nothing for pages from disk: write the file before you close it.");
  }
}

function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(place));
    if (!kept || typeof kept.decisions !== "object") return;
    state.reviewer = String(kept.reviewer ?? "");
    state.at = Math.min(Math.max(Number(kept.at) || 0, 0), data.rows.length - 1);
    for (const [id, one] of Object.entries(kept.decisions)) if (byId.has(id)) state.decisions[id] = one;
    state.steps = Array.isArray(kept.steps) ? kept.steps.filter((step) => byId.has(step.id)) : [];
  } catch {
    localStorage.removeItem(place);
  }
}

// Deciding

const row = () => data.rows[state.at];
const isMended = (one) => ["text", "description", "question", "options", "answer"].some((name) => name in one);
const outcome = (one) => (isMended(one) ? "mend" : one.decision);
const words = (of, one) => (of.refused ? OF_REFUSED : WORDS)[outcome(one)];

function decide(decision) {
  const of = row();
  const { id } = of;
  state.steps.push({ id, at: state.at, before: state.decisions[id] ?? null });
  state.decisions[id] = { ...decision, time: new Date().toISOString() };
  go(state.at + 1, true);
  say(`${id}: ${words(of, state.decisions[id])}`);
}

function undo() {
  const step = state.steps.pop();
  if (!step) return say("There is nothing to undo.");
  if (step.before) state.decisions[step.id] = step.before;
  else delete state.decisions[step.id];
  go(step.at);
  say(`${step.id}: undone`);
}

function go(at, isStep = false) {
  const isLast = at >= data.rows.length;
  state.at = Math.min(Math.max(at, 0), data.rows.length - 1);
  remember();
  enter("look");
  if (isLast && !isStep) say("That was the last row. W writes the file.");
}

function goOn() {
  const order = [...data.rows.keys()].map((step) => (state.at + 1 + step) % data.rows.length);
  const next = order.find((at) => !(data.rows[at].id in state.decisions));
  if (next === undefined) return say("Every row is decided. W writes the file.");
  go(next);
}

// Showing

function say(text) {
  part.said.textContent = text;
}

function enter(next) {
  mode = next;
  part.who.hidden = mode !== "who";
  part.look.hidden = mode === "who";
  part.keys.hidden = mode !== "look";
  part.drop.hidden = mode !== "drop";
  part.mend.hidden = mode !== "mend";
  draw();
  if (mode !== "look") return;
  part.look.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function draw() {
  const told = Object.values(state.decisions).map(outcome);
  const counts = Object.keys(WORDS).map((name) => `${told.filter((one) => one === name).length} ${WORDS[name]}`);
  const who = state.reviewer ? `${state.reviewer} · ` : "";
  part.progress.textContent = `${who}Row ${state.at + 1} of ${data.rows.length} · ${told.length} decided: ${counts.join(", ")}`;
  part.bar.max = data.rows.length;
  part.bar.value = told.length;
  if (mode === "who") return;
  const decided = state.decisions[row().id];
  const shown = { ...row(), ...decided };
  picture(row());
  part.notes.textContent = [row().id, ...row().notes, row().why].filter(Boolean).join(" · ");
  part.verdict.textContent = decided ? words(row(), decided) + (decided.reason ? `: ${decided.reason}` : "") : "";
  part.verdict.classList.toggle("drop", decided?.decision === "drop");
  quoted(part.refused, row().refused);
  text(part.context, shown.context);
  text(part.question, shown.asks ? shown.question : "");
  part.options.replaceChildren(...shown.options.map((option, number) => optionLine(option, LETTERS[number] === shown.answer)));
  quoted(part.text, shown.hasOptions ? "" : shown.text);
  quoted(part.description, shown.asks ? shown.description : "");
}

function picture({ id, picture: name }) {
  const image = part.picture;
  if (image.dataset.name === name) return;
  image.dataset.name = name;
  image.alt = `Picture of row ${id}`;
  image.onload = () => image.classList.toggle("pixels", image.naturalWidth < 128);
  image.src = data.pictures[name];
}

function text(where, said) {
  where.textContent = said;
  where.hidden = said === "";
}

function quoted(where, said) {
  where.querySelector("bdi").textContent = said;
  where.hidden = said === "";
}

function optionLine(said, isRight) {
  const line = element("li", { className: isRight ? "right" : "" });
  line.append(element("bdi", { textContent: said }), isRight ? " ✓" : "");
  return line;
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Dropping

function startDrop() {
  enter("drop");
  part.reason.value = "";
  part.reason.focus();
}

function drop(reason) {
  decide({ decision: "drop", reason });
}

function dropKey(event) {
  const number = Number(event.key);
  if (part.reason.value !== "" || !data.reasons[number - 1]) return;
  event.preventDefault();
  drop(data.reasons[number - 1]);
}

// Mending

function startMend() {
  const shown = { ...row(), ...state.decisions[row().id] };
  const fields = [];
  if (shown.asks) fields.push(area("description", shown.description), area("question", shown.question));
  if (shown.hasOptions) fields.push(...shown.options.map((option, number) => optionField(option, LETTERS[number], shown.answer)));
  else fields.push(area("text", shown.text));
  part.fields.replaceChildren(...fields);
  part.fault.textContent = "";
  enter("mend");
  part.fields.querySelector(shown.asks ? "[name=question]" : "[name=text]").focus();
}

function area(name, value) {
  const field = element("textarea", { name, value, rows: 2, dir: "auto" });
  return element("label", { textContent: name === "text" ? "right text" : name }, field);
}

function optionField(value, letter, answer) {
  const right = element("input", { type: "radio", name: "answer", value: letter, checked: letter === answer });
  right.setAttribute("aria-label", `${letter} is right`);
  const words = element("input", { name: "option", value, dir: "auto", autocomplete: "off" });
  words.setAttribute("aria-label", `option ${letter}`);
  return element("div", { className: "option" }, right, words);
}

function mend() {
  const given = new FormData(part.mend);
  const put = {};
  const take = (name, value) => {
    if (value !== row()[name]) put[name] = value;
  };
  for (const name of ["description", "question", "text"]) if (given.has(name)) take(name, given.get(name));
  if (row().hasOptions) {
    const options = given.getAll("option");
    if (options.join("\n") !== row().options.join("\n")) put.options = options;
    take("answer", given.get("answer") ?? "");
  }
  const fault = faultOf(put);
  part.fault.textContent = fault;
  if (!fault) decide({ decision: "keep", ...put });
}

// The rules of the file, so that nobody writes one that is refused later.
function faultOf(put) {
  for (const name of ["question", "text"]) if (name in put && put[name].trim() === "") return `The ${name} is empty.`;
  if ("answer" in put && put.answer === "") return "No option is marked as right.";
  if (!("options" in put)) return "";
  if (put.options.some((one) => one.trim() === "")) return "An option is empty.";
  const same = new Set(put.options.map((one) => one.trim().normalize("NFC")));
  return same.size < put.options.length ? "Two options say the same." : "";
}

// Files

function write() {
  const head = { rows: data.digest, reviewer: state.reviewer, time: new Date().toISOString() };
  const decided = data.rows.filter(({ id }) => id in state.decisions);
  const lines = [head, ...decided.map(({ id }) => ({ id, ...state.decisions[id] }))].map((one) => `${JSON.stringify(one)}\n`);
  const link = element("a", { href: URL.createObjectURL(new Blob(lines, { type: "application/jsonl" })) });
  link.download = `review-${data.digest.slice(0, 12)}-${state.reviewer.replace(/[^A-Za-z0-9]+/g, "-")}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say(`${link.download} was written: ${decided.length} decisions.`);
}

async function open() {
  const [file] = part.file.files;
  part.file.value = "";
  if (!file) return;
  try {
    const [head, ...lines] = (await file.text()).split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line));
    if (typeof head?.rows !== "string" || !head.rows || !data.digest.startsWith(head.rows)) {
      throw new Error("it decides about other rows");
    }
    const strange = lines.find(({ id, decision }) => !DECISIONS.includes(decision) || typeof id !== "string");
    if (strange) throw new Error(`it holds no decision: ${JSON.stringify(strange).slice(0, 80)}`);
    const known = lines.filter(({ id }) => byId.has(id));
    for (const { id, ...decision } of known) state.decisions[id] = decision;
    state.reviewer = state.reviewer || String(head.reviewer ?? "");
    state.steps = [];
    go(state.at);
    say(`${file.name}: ${known.length} decisions were read${known.length < lines.length ? ", others are not of this page" : ""}.`);
  } catch (error) {
    say(`${file.name} cannot be read: ${error.message}`);
  }
}

// Keys

const ACTIONS = {
  k: () => decide({ decision: "keep" }),
  m: startMend,
  d: startDrop,
  s: () => decide({ decision: "skip" }),
  u: undo,
  p: () => go(state.at - 1),
  n: () => go(state.at + 1),
  g: goOn,
  w: write,
  o: () => part.file.click(),
};
const ARROWS = { ArrowLeft: "p", ArrowRight: "n" };

function act(key) {
  say("");
  ACTIONS[key]?.();
}

addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Escape" && (mode === "drop" || mode === "mend")) return enter("look");
  if (mode === "mend" && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    return mend();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (mode === "drop") return dropKey(event);
  const key = ARROWS[event.key] ?? event.key.toLowerCase();
  if (mode !== "look" || !(key in ACTIONS) || (event.repeat && key !== "n" && key !== "p")) return;
  event.preventDefault(); // the letter would stand in the field that comes
  act(key);
});

part.keys.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button) act(button.dataset.key);
});
part.file.addEventListener("change", open);
part.who.addEventListener("submit", (event) => {
  event.preventDefault();
  state.reviewer = part.reviewer.value.trim();
  if (!state.reviewer) return;
  go(state.at);
});
part.drop.addEventListener("submit", (event) => {
  event.preventDefault();
  if (part.reason.value.trim()) drop(part.reason.value.trim());
});
part.mend.addEventListener("submit", (event) => {
  event.preventDefault();
  mend();
});

recall();
part.reasons.append(...data.reasons.map((reason) => element("li", { textContent: reason })));
if (state.reviewer) go(state.at);
else {
  enter("who");
  part.reviewer.focus();
}
