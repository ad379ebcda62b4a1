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
function firstIsRight(sentence, entities) {
  return !sentence[3][0].some((error) => touch(entitiesOf(error), entities));
}
const wrongOf = (sentence, run) => (run < 0 ? sentence[3].flat() : sentence[3][run]);
const differing = data.sentences.map(([, , predicted]) => predicted.some((each) => `${each}` !== `${predicted[0]}`));
const field = (name) => at("filter").elements.namedItem(name);
let chosen = [], page = 0;
function select() {
  const [kind, words, order, wanted] = ["kind", "words", "order", "class"].map((name) => field(name).value);
  const run = data.runs.indexOf(field("run").value), first = field("first")?.checked;
  const runs = run < 0 ? data.runs.map((_, r) => r) : [run];
  const ofClass = (entities) => !wanted || entities.some((e) => e[2] === wanted);
  chosen = data.sentences.map((_, i) => i).filter((i) => {
    const sentence = data.sentences[i];
    if (words && !sentence[0].join(" ").toLowerCase().includes(words.toLowerCase())) return false;
    if (kind === "" && !first) return !wanted || [sentence[1], ...runs.map((r) => sentence[2][r])].some(ofClass);
    return runs.some((r) => sentence[3][r].some((error) => {
      const entities = entitiesOf(error);
      return ["", "some", error[0]].includes(kind) && ofClass(entities) && (!first || firstIsRight(sentence, entities));
    }));
  });
  const errors = (i) => wrongOf(data.sentences[i], run).length;
  if (order === "") chosen.sort((a, b) => differing[b] - differing[a]);
  if (order === "errors") chosen.sort((a, b) => errors(b) - errors(a));
  page = 0;
  draw();
}

// The tokens with a mark around each entity, and one around each missed entity, which may reach beyond others.
const label = ([, , className], kind) => element("small", {}, name(className + (kind ? `, ${kind}` : "")));
function line(tokens, entities, kinds, clean, missed = []) {
  const result = element("bdi"), covering = (list, i) => list.findIndex(([start, end]) => start <= i && i < end);
  let outer = result, inner = result, last = [-1, -1];
  tokens.forEach((token, i) => {
    const e = covering(entities, i), m = covering(missed, i), space = i ? " " : "";
    const kind = e < 0 ? "" : kinds[entities[e][0]];
    if (e === last[0] && m === last[1]) inner.append(space, token);
    else {
      (e === last[0] ? outer : result).append(space);
      if (e !== last[0]) outer = e < 0 ? result : result.appendChild(element("mark", { class: kind ? "wrong" : clean }));
      inner = m < 0 ? outer : outer.appendChild(element("mark", { class: "missed" }));
      inner.append(token);
    }
    if (m >= 0 && missed[m][1] === i + 1) inner.append(" ", label(missed[m], "missed"));
    if (e >= 0 && entities[e][1] === i + 1) outer.append(" ", label(entities[e], kind));
    last = [e, m];
  });
  return result;
}
const side = (title, content) => element("div", { class: "side" }, name(title), content);
function article(i) {
  const [tokens, gold, predicted, wrong, id, lang] = data.sentences[i];
  const runs = data.runs.map((run, r) => {
    const kinds = {}, missed = []; // kinds: of the wrong entities, by their first token
    for (const [kind, g, p] of wrong[r]) { if (p) kinds[p[0]] = kind; else missed.push(g); }
    return side(run, line(tokens, predicted[r], kinds, "right", missed));
  });
  const about = [`id ${id}`, lang, differing[i] ? "the runs differ" : ""].filter(Boolean).join(", ");
  const heading = element("h3", {}, element("a", { href: `#s${id}` }, name(about)));
  return element("article", { id: `s${id}` }, heading, side("gold", line(tokens, gold, {}, "gold")), ...runs);
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

// The address has the filter, as in #class=DIS&kind=missed, or a sentence, as in #s12.
function follow() {
  const address = location.hash.slice(1), found = data.sentences.findIndex((sentence) => `s${sentence[4]}` === address);
  if (found < 0 && !address.includes("=")) return; // a heading
  if (!chosen.includes(found)) {
    at("filter").reset();
    for (const [name, value] of new URLSearchParams(found < 0 ? address : "")) {
      const control = field(name);
      if (control?.type === "checkbox") control.checked = true;
      else if (control) control.value = value;
    }
    select();
  }
  if (found < 0) return;
  page = Math.floor(chosen.indexOf(found) / PAGE);
  draw();
  at(address).classList.add("here");
  at(address).scrollIntoView();
}
at("previous").addEventListener("click", () => turn(-1));
at("next").addEventListener("click", () => turn(1));
at("filter").addEventListener("input", () => {
  const set = [...new FormData(at("filter"))].filter(([, value]) => value);
  select(); // first: some viewers, such as JupyterLab's, refuse the address
  history.replaceState(null, "", `#${new URLSearchParams(set)}`);
});
at("filter").addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", follow);
select();
follow();
