"use strict";
// Shows the rows of the gallery and filters them. Whatever a model wrote reaches the page as text, never as markup.

const PAGE = 24;
const LETTERS = "ABCDEFGHIJ";
const DASH = "–";

const data = JSON.parse(document.getElementById("gallery-data").textContent);
const form = document.getElementById("filters");
const list = document.getElementById("rows");
const count = document.getElementById("count");
const more = document.getElementById("more");

let found = [];

// What can be said of a row, once it is known whom we look at and whom we compare with.

const isKnown = (row) => row.truth !== "";
const chosen = (row, variant) => (row.isText ? row.answers[variant]?.written : row.answers[variant]?.chosen);
const isRight = (row, variant) => isKnown(row) && chosen(row, variant) === row.truth;
const isWrong = (row, variant) => isKnown(row) && chosen(row, variant) !== row.truth;
const isPaired = () => data.variants.length > 1;
const isJudged = () => data.rows.some((row) => !row.isText);
const isUnknown = (row) => !isKnown(row) && !row.target;

const OUTCOMES = {
  all: { label: "All", test: () => true },
  right: { label: "Right", test: (row, { after }) => isRight(row, after), isOffered: isJudged },
  wrong: { label: "Wrong", test: (row, { after }) => isWrong(row, after), isOffered: isJudged },
  changed: {
    label: "Answer changed",
    test: (row, { before, after }) => chosen(row, before) !== chosen(row, after),
    isOffered: isPaired,
  },
  gained: {
    label: "Gained",
    test: (row, { before, after }) => isWrong(row, before) && isRight(row, after),
    isOffered: () => isPaired() && isJudged(),
  },
  lost: {
    label: "Lost",
    test: (row, { before, after }) => isRight(row, before) && isWrong(row, after),
    isOffered: () => isPaired() && isJudged(),
  },
  unknown: {
    label: "Truth unknown",
    test: isUnknown,
    isOffered: () => data.rows.some(isUnknown),
  },
};

const margin = (row, variant) => row.answers[variant]?.margin ?? 0;

const ORDERS = {
  asked: null,
  unsure: (variant) => (a, b) => margin(a, variant) - margin(b, variant),
  sure: (variant) => (a, b) => margin(b, variant) - margin(a, variant),
};

// Finding

function texts(row) {
  const written = row.answers.flatMap((answer) => (answer ? [answer.description, answer.written] : []));
  return [row.id, row.question, row.target, ...row.options, ...written].join("\n").toLowerCase();
}

function choices() {
  const values = new FormData(form);
  const variant = (name, place) => Number(values.get(name) ?? data.pair[place]);
  return {
    outcome: values.get("outcome"),
    before: variant("before", 0),
    after: variant("after", 1),
    kind: values.get("kind") ?? "",
    category: values.get("category") ?? "",
    isLow: values.has("low"),
    words: (values.get("words") ?? "").trim().toLowerCase(),
    order: values.get("order"),
  };
}

function isMeant(row, { after, kind, category, isLow, words }) {
  return (
    (kind === "" || row.kind === kind) &&
    (category === "" || row.category === category) &&
    (!isLow || margin(row, after) < data.lowMargin) &&
    (words === "" || row.texts.includes(words))
  );
}

function update() {
  const chosenNow = choices();
  const meant = data.rows.filter((row) => isMeant(row, chosenNow));
  for (const [name, { test }] of Object.entries(OUTCOMES)) {
    const number = document.getElementById(`count-${name}`);
    if (number) number.textContent = meant.filter((row) => test(row, chosenNow)).length.toLocaleString("en");
  }
  found = meant.filter((row) => OUTCOMES[chosenNow.outcome].test(row, chosenNow));
  const order = ORDERS[chosenNow.order];
  if (order) found.sort(order(chosenNow.after));
  list.replaceChildren();
  showMore();
}

function showMore() {
  const shown = list.childElementCount;
  list.append(...found.slice(shown, shown + PAGE).map((row) => card(row, choices())));
  tellCount();
}

function tellCount() {
  const shown = list.childElementCount;
  const left = found.length - shown;
  const all = data.rows.length.toLocaleString("en");
  const match = found.length === 0 ? "No row matches" : `${found.length.toLocaleString("en")} of ${all} rows`;
  count.textContent = left > 0 ? `${match}, the first ${shown} shown` : match;
  more.hidden = left <= 0;
  more.textContent = `Show ${Math.min(PAGE, left)} more`;
}

// Drawing

function element(tag, { css = "", text = "", of = [], ...attributes } = {}) {
  const made = document.createElement(tag);
  if (css) made.className = css;
  if (text !== "") made.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...of);
  return made;
}

// A text of unknown language and direction, kept from turning what stands beside it.
const quoted = (tag, text) => element(tag, { text, dir: "auto" });

const per = (share) => `${(100 * share).toFixed(share > 0.995 || share < 0.005 ? 0 : 1)} %`;

function card(row, watched) {
  const title = `row-${row.place}`;
  const heading = quoted("h3", row.question || row.id);
  heading.id = title;
  const body = element("div", { of: [heading, tags(row, watched), options(row), said(row)] });
  return element("article", { css: "row card", of: [picture(row), body], "aria-labelledby": title });
}

function picture(row) {
  const source = data.pictures[row.picture];
  if (!source) return element("p", { css: "blank soft small", text: "The picture is not at hand." });
  const image = element("img", { alt: `Picture of row ${row.id}` });
  image.addEventListener("load", () => image.classList.toggle("pixels", image.naturalWidth < 128));
  image.src = source;
  return image;
}

function tags(row, watched) {
  const names = [row.kind, row.category].filter(Boolean).map((text) => element("li", { text }));
  const isLow = !row.isText && margin(row, watched.after) < data.lowMargin;
  const low = isLow ? [element("li", { text: "low margin" })] : [];
  const came = row.isText && row.target ? [] : [outcome(row, watched)];
  return element("ul", { css: "tags", of: [...came, ...names, ...low, quoted("li", row.id)] });
}

function outcome(row, { before, after }) {
  if (!isKnown(row)) return element("li", { text: "truth unknown" });
  const css = isRight(row, after) ? "good" : "bad";
  const verdict = isRight(row, after) ? "✓ right" : "✗ wrong";
  const hasTurned = isRight(row, before) !== isRight(row, after);
  const turn = isRight(row, after) ? "✓ gained" : "✗ lost";
  return element("li", { css, text: hasTurned ? turn : verdict });
}

function options(row) {
  if (row.isText) return row.target ? element("p", { of: ["right: ", quoted("bdi", row.target)] }) : element("p");
  const heads = ["option", ...data.variants].map((text) => element("th", { text, scope: "col" }));
  const head = element("thead", { of: [element("tr", { of: heads })] });
  const lines = [...LETTERS].filter((letter, place) => isOffered(row, place)).map((letter) => option(row, letter));
  const table = element("table", { css: "options", of: [head, element("tbody", { of: lines })] });
  return element("div", { css: "scroll", of: [table] });
}

function isOffered(row, place) {
  return Boolean(row.options[place]) || row.answers.some((answer) => answer?.p[place] > 0);
}

function option(row, letter) {
  const place = LETTERS.indexOf(letter);
  const isTrue = letter === row.truth;
  const words = [`${letter}. `, quoted("bdi", row.options[place] ?? "")];
  if (isTrue) words.push(element("span", { css: "mark", text: " ✓ true" }));
  const cells = row.answers.map((answer) => element("td", { of: answer ? [chance(row, answer, place)] : [DASH] }));
  return element("tr", { css: isTrue ? "true" : "", of: [element("th", { of: words, scope: "row" }), ...cells] });
}

function chance(row, answer, place) {
  const isChosen = answer.chosen === LETTERS[place];
  const isGood = !isKnown(row) || answer.chosen === row.truth;
  const fill = element("i");
  fill.style.width = `${100 * answer.p[place]}%`;
  const bar = element("span", { css: "bar", of: [fill], "aria-hidden": "true" });
  const css = isChosen ? `chance chosen ${isGood ? "good" : "bad"}` : "chance";
  const marks = isChosen ? [element("span", { text: isGood ? "●" : "✗", role: "img", "aria-label": "chosen" })] : [];
  return element("span", { css, of: [bar, element("span", { text: per(answer.p[place]) }), ...marks] });
}

function said(row) {
  const lines = row.answers.flatMap((answer, place) => {
    const remarks = answer ? sayings(answer, row.isText) : [];
    return remarks.length ? [element("dt", { text: data.variants[place] }), element("dd", { of: remarks })] : [];
  });
  return element("dl", { css: "said", of: lines });
}

function sayings(answer, isText) {
  const seen = answer.description ? [quoted("div", answer.description)] : [];
  const notes = [];
  if (answer.written && isText) seen.push(quoted("div", answer.written));
  if (answer.written && !isText) notes.push(...freely(answer));
  if (answer.rotations !== null) notes.push(`right in ${answer.rotations} of 4 rotations`);
  if (answer.flags.length) notes.push(`noted: ${answer.flags.join(", ")}`);
  const told = notes.map((note) => element("span", { of: [note] }));
  return [...seen, ...(told.length ? [element("div", { css: "notes soft small", of: told })] : [])];
}

function freely({ written, letter }) {
  const read = letter ? `, read as ${letter}` : ", which names no letter";
  return [element("span", { of: ["freely: ", quoted("bdi", written), written.trim() === letter ? "" : read] })];
}

// The form

function chip(name, { label }) {
  const button = element("input", { type: "radio", name: "outcome", value: name });
  button.defaultChecked = name === "all";
  const number = element("b", { id: `count-${name}` });
  return element("label", { css: "chip", of: [button, element("span", { of: [`${label} `, number] })] });
}

function fill(name, labels, values, chosenValue) {
  const select = form.elements[name];
  select.append(...labels.map((label, place) => new Option(label, values[place], false, values[place] === chosenValue)));
}

function offerParts(name, any) {
  const parts = [...new Set(data.rows.map((row) => row[name]))].filter(Boolean).sort();
  fill(name, [any, ...parts], ["", ...parts], "");
  form.elements[name].closest("label").hidden = parts.length < 2;
}

function offer() {
  const isChipOffered = ([, { isOffered }]) => !isOffered || isOffered();
  const chips = Object.entries(OUTCOMES).filter(isChipOffered).map(([name, one]) => chip(name, one));
  document.getElementById("outcomes").append(...chips);
  for (const [place, name] of ["before", "after"].entries()) {
    fill(name, data.variants, [...data.variants.keys()], data.pair[place]);
    form.elements[name].closest("label").hidden = !isPaired();
  }
  offerParts("kind", "any kind");
  offerParts("category", "any category");
  for (const name of ["order", "low"]) form.elements[name].closest("label").hidden = !isJudged();
  form.hidden = false;
}

data.rows.forEach((row, place) => Object.assign(row, { place, texts: texts(row) }));
offer();
form.addEventListener("input", update);
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", showMore);
update();
