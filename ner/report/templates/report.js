"use strict";
// Everything from the data becomes text nodes, never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const PAGE = 25;
const at = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}
const element = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
const name = (text) => element("bdi", {}, text);
// In a sentence, each name is between two isolation marks, which become an element.
const unbroken = (text) => text.replace(/(\d) %/g, "$1\u00a0%").replace(/\bp ([=<]) /g, "p\u00a0$1\u00a0");
const prose = (text) => unbroken(text).split(/\u2068(.*?)\u2069/s).map((piece, i) => (i % 2 ? name(piece) : piece));
function drawing([tag, attributes, content]) {
  const children = typeof content === "string" ? [content] : content.map(drawing);
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

// Tables
function number(value) {
  const match = String(value).match(/[-+]?\d[\d,]*(\.\d+)?/);
  return match ? Number(match[0].replace(/,/g, "")) : null;
}
function compare(a, b) {
  const [x, y] = [number(a), number(b)];
  if (x !== null && y !== null) return x - y;
  if (x !== null || y !== null) return x === null ? -1 : 1;
  return String(a).localeCompare(String(b));
}
function bodyRow(part, row) {
  return element("tr", {}, ...part.rows[row].map((value, column) => {
    if (column === 0) return element("th", { scope: "row" }, name(String(value)));
    const cell = element("td", {}, name(String(value)));
    if (part.words.includes(column)) cell.className = "words";
    if (value === "higher" || value === "lower") cell.classList.add("shown");
    if (part.shade) { cell.className = "shade"; cell.style.setProperty("--share", part.shade[row][column - 1]); }
    return cell;
  }));
}
function table(part) {
  const order = part.rows.map((_, row) => row);
  const body = element("tbody", {}, ...order.map((row) => bodyRow(part, row)));
  const heads = part.head.map((text, column) => {
    const button = element("button", { type: "button", title: "sort by this column" }, name(text));
    const cell = element("th", { scope: "col" }, button);
    if (part.words.includes(column)) cell.className = "words";
    button.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = (row) => part.rows[row][column];
      const by = column === 0 ? (a, b) => String(text(a)).localeCompare(String(text(b))) : (a, b) => compare(text(a), text(b));
      body.replaceChildren(...[...order].sort((a, b) => (down ? by(b, a) : by(a, b))).map((row) => bodyRow(part, row)));
    });
    return cell;
  });
  const caption = element("caption", {}, name(part.title));
  const scroll = element("div", { class: "scroll" }, element("table", part.shade ? { class: "shaded" } : {}, caption, element("thead", {}, element("tr", {}, ...heads)), body));
  const wide = element("div", { class: "wide" }, element("p", { class: "hint" }, "This table is wider than the page: scroll sideways."), scroll);
  new ResizeObserver(() => {
    const overflows = scroll.scrollWidth > scroll.clientWidth;
    wide.classList.toggle("overflows", overflows);
    const region = { tabindex: "0", role: "region", "aria-label": part.title };
    for (const [key, value] of Object.entries(region)) overflows ? scroll.setAttribute(key, value) : scroll.removeAttribute(key);
  }).observe(scroll);
  return wide;
}

// The report's parts
const links = [];
const heading = (part, i) => {
  links.push(element("li", {}, element("a", { href: `#part-${i}` }, part.text)));
  return element("h2", { id: `part-${i}` }, part.text);
};
const renderers = {
  h2: heading,
  p: (part) => element("p", {}, ...prose(part.text)),
  lead: (part) => element("p", { class: "lead" }, ...prose(part.text)),
  table,
  picture: (part) => {
    const picture = drawing(part.drawing);
    fill(picture, { role: "img", "aria-label": part.title }, []);
    return element("figure", {}, picture, element("figcaption", {}, name(part.title)));
  },
};
data.parts.forEach((part, i) => {
  const shown = renderers[part.element](part, i), last = at("report").lastElementChild;
  if (part.element !== "table") at("report").append(shown);
  else if (last && last.className === "tables") last.append(shown);  // side by side, if there is room
  else at("report").append(element("div", { class: "tables" }, shown));
});
links.push(element("li", {}, element("a", { href: "#sentences" }, at("sentences").textContent)));
const contents = element("nav", { id: "contents", "aria-label": "contents" }, element("ul", {}, ...links));
const firstHeading = document.querySelector("#report h2");
firstHeading ? firstHeading.before(contents) : at("report").append(contents);

// The sentences: [tokens, gold, [entities of a run, ...], [errors of a run, ...]]; an entity: [start, end, class];
// an error: [kind, gold entity or -1, predicted entity or -1] by position.
const option = (value, text) => element("option", { value }, text);
at("run").append(option("", "any"), ...data.runs.map((run, i) => option(i, run)));
at("class").append(option("", "any"), ...data.classes.map((label, i) => option(i, label)));
at("kind").append(option("", "any sentence"), option("some", "any error"), ...data.kinds.map((kind, i) => option(i, kind)));
at("against").hidden = data.runs.length < 2;
at("limit").textContent = data.limit;
at("limit").hidden = !data.limit;

const entitiesOf = (sentence, run, [, g, p]) => [...(g < 0 ? [] : [sentence[1][g]]), ...(p < 0 ? [] : [sentence[2][run][p]])];
function touch(some, others) {
  return some.some(([start, end]) => others.some(([from, to]) => start < to && from < end));
}
function firstIsRight(sentence, entities) {
  return !sentence[3][0].some((error) => touch(entitiesOf(sentence, 0, error), entities));
}
const wrongOf = (sentence, run) => (run === "" ? sentence[3].flat() : sentence[3][run]);
let chosen = [], page = 0;
function select() {
  const [run, kind, wanted, words] = ["run", "kind", "class", "words"].map((id) => at(id).value);
  const first = at("first").checked;
  const runs = run === "" ? data.runs.map((_, r) => r) : [Number(run)];
  const ofClass = (entities) => wanted === "" || entities.some((e) => e[2] === Number(wanted));
  chosen = data.sentences.map((_, i) => i).filter((i) => {
    const sentence = data.sentences[i];
    if (words && !sentence[0].join(" ").toLowerCase().includes(words.toLowerCase())) return false;
    if (kind === "" && !first) return wanted === "" || [sentence[1], ...runs.map((r) => sentence[2][r])].some(ofClass);
    return runs.some((r) => sentence[3][r].some((error) => {
      const entities = entitiesOf(sentence, r, error);
      return (kind === "" || kind === "some" || error[0] === Number(kind)) && ofClass(entities) && (!first || firstIsRight(sentence, entities));
    }));
  });
  if (at("order").value === "errors") chosen.sort((a, b) => wrongOf(data.sentences[b], run).length - wrongOf(data.sentences[a], run).length || a - b);
  page = 0;
  draw();
}

// Tokens from `start` to `end`, with the missed entities among them marked; one may reach beyond them.
function words(tokens, start, end, missed) {
  const nodes = [];
  let place = start;
  const plain = (until) => { if (until > place) nodes.push(tokens.slice(place, until).join(" ") + " "); place = until; };
  for (const [from, to, classId] of missed) {
    if (from >= end || to <= start) continue;
    plain(Math.max(from, start));
    const until = Math.min(to, end);
    const label = to === until ? [" ", element("small", {}, name(`${data.classes[classId]}, missed`))] : [];
    nodes.push(element("mark", { class: "missed" }, tokens.slice(place, until).join(" "), ...label), " ");
    place = until;
  }
  plain(end);
  return nodes;
}
function line(tokens, entities, kinds, clean, missed = []) {
  const result = element("bdi");
  let place = 0;
  entities.forEach(([start, end, classId], i) => {
    const label = data.classes[classId] + (kinds[i] ? `, ${kinds[i]}` : "");
    const mark = element("mark", { class: kinds[i] ? "wrong" : clean }, ...words(tokens, start, end, missed));
    if (mark.lastChild.nodeType === Node.TEXT_NODE) mark.lastChild.data = mark.lastChild.data.trimEnd();
    mark.append(" ", element("small", {}, name(label)));
    result.append(...words(tokens, place, start, missed), mark, " ");
    place = end;
  });
  result.append(...words(tokens, place, tokens.length, missed));
  return result;
}
const side = (title, content) => element("div", { class: "side" }, name(title), content);
function article(i) {
  const [tokens, gold, predicted, wrong] = data.sentences[i];
  const runs = data.runs.map((run, r) => {
    const kinds = {}, missed = [];
    for (const [k, g, p] of wrong[r]) { if (p >= 0) kinds[p] = data.kinds[k]; else missed.push(gold[g]); }
    missed.sort((a, b) => a[0] - b[0]);
    return side(run, line(tokens, predicted[r], kinds, "right", missed));
  });
  const about = `id ${data.ids[i]}${data.langs[i] ? ", " + data.langs[i] : ""}`;
  return element("article", {}, element("h3", {}, name(about)), side("gold", line(tokens, gold, {}, "gold")), ...runs);
}

// Pages, with buttons above and below the list.
function pager(where) {
  const [back, next] = ["previous", "next"].map((text) => element("button", { type: "button", class: text }, text));
  const count = element("span", where === "above" ? { "aria-live": "polite" } : {});
  back.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));
  const box = element("div", { class: "pager", role: "group", "aria-label": `pages, ${where} the list` }, back, next, count);
  return { box, back, next, count };
}
const pagers = ["above", "below"].map(pager);
at("list").before(pagers[0].box);
at("list").after(pagers[1].box);
function draw() {
  const pages = Math.max(1, Math.ceil(chosen.length / PAGE));
  page = Math.min(Math.max(page, 0), pages - 1);
  for (const { back, next, count } of pagers) {
    count.textContent = `${chosen.length.toLocaleString("en")} of ${data.sentences.length.toLocaleString("en")} sentences, page ${page + 1} of ${pages}`;
    back.setAttribute("aria-disabled", page === 0);  // a disabled button would lose the focus, and the arrow keys with it
    next.setAttribute("aria-disabled", page === pages - 1);
  }
  at("list").replaceChildren(...chosen.slice(page * PAGE, (page + 1) * PAGE).map(article));
}
function turn(by) {
  page += by;
  draw();
  if (at("browse").getBoundingClientRect().top < 0) at("browse").scrollIntoView();
}
at("filter").addEventListener("input", select);
at("filter").addEventListener("submit", (event) => event.preventDefault());
at("browse").addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.key === "ArrowLeft") turn(-1);
  if (event.key === "ArrowRight") turn(1);
});
select();
