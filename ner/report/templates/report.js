"use strict";
const at = (id) => document.getElementById(id);
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}
const name = (text) => element("bdi", {}, text);

// A link to each table as CSV. A text that a spreadsheet would take for a formula begins with an apostrophe.
function csvCell({ innerText }) {
  const text = innerText.trim(), isNumber = /^[-+]?[\d.,]+( (to|±) [-+]?[\d.]+)?$/.test(text);
  const cell = /^[\d,]+$/.test(text) ? text.replaceAll(",", "") : /^[-+=@]/.test(text) && !isNumber ? `'${text}` : text;
  return `"${cell.replaceAll('"', '""')}"`;
}
for (const table of document.querySelectorAll("table")) {
  const title = table.caption.innerText, lines = [...table.rows].map(({ cells }) => [...cells].map(csvCell).join(","));
  const href = `data:text/csv;charset=utf-8,${encodeURIComponent(`${lines.join("\r\n")}\r\n`)}`;
  const download = `${title.replace(/[^\p{L}\p{N}]+/gu, "_")}.csv`;
  table.caption.append(" ", element("a", { class: "screen", href, download, "aria-label": `CSV: ${title}` }, "CSV"));
}

// The sentences: [tokens, gold, [entities of a run, ...], [errors of a run, ...], id, language]; an entity:
// [start, end, class]; an error: [kind, gold entity or null, predicted entity or null].
// All of their text becomes text nodes, never markup.
const data = JSON.parse(at("data").textContent);
const PAGE = 25;
const entitiesOf = ([, ...sides]) => sides.filter(Boolean);
const touch = (some, others) => some.some(([start, end]) => others.some(([from, to]) => start < to && from < end));
const field = (name) => at("filter").elements.namedItem(name);
let chosen = [], page = 0;
function select() {
  const [kind, words, wanted] = ["kind", "words", "class"].map((name) => field(name).value);
  const run = data.runs.indexOf(field("run").value), first = field("first")?.checked;
  chosen = data.sentences.filter(([tokens, , , wrong]) => {
    if (!tokens.join(" ").toLowerCase().includes(words.toLowerCase())) return false;
    return (run < 0 ? wrong.flat() : wrong[run]).some((error) => {
      const entities = entitiesOf(error);
      return (!kind || error[0] === kind) && (!wanted || entities.some((e) => e[2] === wanted)) &&
        !(first && wrong[0].some((ofFirst) => touch(entitiesOf(ofFirst), entities)));
    });
  });
  page = 0;
  draw();
}

// The tokens with a mark around each entity: [start, end, class, look, kind of error]. Those that overlap an earlier one
// follow the sentence.
function line(tokens, entities, lang) {
  const result = element("bdi", /^[a-z]{2,3}(-\w+)*$/i.test(lang) ? { lang } : {}), covered = [];
  const words = (start, end) => tokens.slice(start, end).join(" ");
  const mark = ([start, end, className, look, kind]) => element("mark", { class: look }, words(start, end), " ",
    element("small", { lang: "en" }, name(className + (kind ? `, ${kind}` : ""))));
  let done = 0;
  for (const entity of [...entities].sort(([a], [b]) => a - b)) {
    if (entity[0] < done) covered.push(entity);
    else {
      result.append(words(done, entity[0]), " ", mark(entity), " ");
      done = entity[1];
    }
  }
  result.append(words(done), ...covered.flatMap((entity) => [" ", mark(entity)]));
  return result;
}
const side = (title, content) => element("div", { class: "side" }, name(title), content);
function article([tokens, gold, predicted, wrong, id, lang]) {
  const runs = data.runs.map((run, r) => {
    const kind = (entity) => wrong[r].find(([, , p]) => `${p}` === `${entity}`)?.[0];
    const found = predicted[r].map((entity) => [...entity, kind(entity) ? "wrong" : "right", kind(entity)]);
    const missed = wrong[r].filter(([, , p]) => !p).map(([, g]) => [...g, "missed", "missed"]);
    return side(run, line(tokens, [...found, ...missed], lang));
  });
  const about = name([`id ${id}`, lang].filter(Boolean).join(", "));
  const marked = gold.map((entity) => [...entity, "gold"]);
  return element("article", {}, element("h3", {}, about), side("gold", line(tokens, marked, lang)), ...runs);
}

function draw() {
  const pages = Math.max(1, Math.ceil(chosen.length / PAGE));
  page = Math.min(Math.max(page, 0), pages - 1);
  const [found, sentences] = [chosen, data.sentences].map(({ length }) => length.toLocaleString("en"));
  at("count").textContent = `${found} of ${sentences} sentences, page ${page + 1} of ${pages}`;
  at("list").replaceChildren(...chosen.slice(page * PAGE, (page + 1) * PAGE).map(article));
}
function turn(by) {
  page += by;
  draw();
  if (at("list").getBoundingClientRect().top < 0) at("browse").scrollIntoView();
}

at("previous").addEventListener("click", () => turn(-1));
at("next").addEventListener("click", () => turn(1));
at("filter").addEventListener("input", select);
at("filter").addEventListener("submit", (event) => event.preventDefault());
select();
