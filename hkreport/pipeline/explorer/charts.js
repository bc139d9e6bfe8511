// Charts as plain SVG, drawn at the width they are shown at. Colours come from the style sheet; when a chart
// is saved they are written into it.

const SVG = "http://www.w3.org/2000/svg";
const draw = (tag, attributes = {}, ...children) => {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};
const say = (x, y, words, kind = "", anchor = "start") =>
  draw("text", { x: round(x), y: round(y), class: kind, "text-anchor": anchor }, words);
const round = (value) => Math.round(value * 10) / 10;

const ruler = document.createElement("canvas").getContext("2d");
const widths = new Map();
const widthOf = (words, bold = false) => {
  const key = `${bold}${words}`;
  if (!widths.has(key)) {
    if (widths.size > 20000) widths.clear();
    ruler.font = `${bold ? 600 : 400} 14px ${FONTS}`;
    widths.set(key, ruler.measureText(words).width);
  }
  return widths.get(key);
};
const FONTS = "'Source Sans Pro', 'Noto Sans', sans-serif";
const fitted = (words, room) => {
  if (widthOf(words) <= room) return words;
  const letters = [...words];
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (widthOf(`${letters.slice(0, middle).join("").trimEnd()}…`) <= room) low = middle;
    else high = middle - 1;
  }
  return `${letters.slice(0, low).join("").trimEnd()}…`;
};

// Round steps that divide a stretch into about `count` parts.
const niceSteps = (low, high, count) => {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((each) => each * power >= rough) * power;
  const steps = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) steps.push(i * step);
  return steps;
};

const canvasOf = (width, height, label) =>
  draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label });

// Bars with a name and a value; each is a button.
// rows: [{ key, label, value, words, colour?, selected, detail }]; `mark` is a line across, such as break-even.
const bars = ({ width, rows, unit, label, mark = null, can = true }) => {
  const narrow = width < 460;
  const pitch = narrow ? 46 : 32;
  const thick = narrow ? 14 : 18;
  const height = Math.max(1, rows.length) * pitch + (mark ? 22 : 4);
  const svg = canvasOf(width, height, label);
  const top = mark ? 20 : 2;
  const numbers = rows.map((row) => row.value).filter((value) => !Number.isNaN(value));
  const [low, high] = [Math.min(0, ...numbers), Math.max(0, ...numbers, mark ? mark.value : 0)];
  const names = narrow ? 0 : Math.min(width * 0.38, 230, Math.max(60, ...rows.map((row) => widthOf(row.label))) + 14);
  const values = Math.max(40, ...rows.map((row) => widthOf(row.words, true))) + 10;
  const room = Math.max(30, width - names - values - (low < 0 ? values : 0));
  const zero = names + (low < 0 ? values + (room * -low) / (high - low || 1) : 0);
  const scale = room / (high - low || 1);
  if (mark && high > 0) {
    const x = zero + mark.value * scale;
    svg.append(
      // Where names stand above their bars, the line leaves them free.
      draw("path", { d: narrow ? rows.map((_, i) => `M${round(x)} ${top + i * pitch + 30 - thick / 2 - 3}v${thick + 6}`).join("")
        : `M${round(x)} 16V${height}`, class: "mark" }),
      say(x, 11, mark.label, "small", x > width - 60 ? "end" : x < 60 ? "start" : "middle"));
  }
  rows.forEach((row, i) => {
    const y = top + i * pitch;
    const middle = narrow ? y + 30 : y + pitch / 2;
    const length = Number.isNaN(row.value) ? 0 : Math.max(1, Math.abs(row.value) * scale);
    const x = row.value < 0 ? zero - length : zero;
    const bar = draw("rect", { x: round(x), y: middle - thick / 2, width: round(length), height: thick, rx: 2,
                               class: `bar${row.selected ? " chosen" : ""}` });
    if (row.colour) bar.style.setProperty("--own", row.colour);
    const tail = row.value < 0 ? [x - 6, "end"] : [zero + length + 6, "start"];
    const group = draw("g", { class: "row", "data-key": row.key, "aria-label": `${row.label}: ${row.detail ?? row.words}` },
      draw("rect", { x: 0, y, width, height: pitch, class: "hit" }),
      ...(Number.isNaN(row.value) ? [] : [bar]),
      narrow ? say(0, y + 16, fitted(row.label, width - 8), "name")
        : say(0, middle + 5, fitted(row.label, names - 12), "name"),
      say(tail[0], middle + 5, row.words, Number.isNaN(row.value) ? "soft" : "value", tail[1]));
    group.querySelectorAll("text").forEach((each) => each.setAttribute("aria-hidden", "true")); // the label says them whole
    group.setAttribute("role", can ? "button" : "img");
    if (can) {
      group.setAttribute("aria-pressed", String(Boolean(row.selected)));
      group.setAttribute("tabindex", i === 0 ? "0" : "-1");
    }
    svg.append(group);
  });
  return { svg, points: [] };
};

// Lines over time. series: [{ label, values, kind }]; `names` are the steps, `words` what a step is called.
const lines = ({ width, names, series, unit, label, titles }) => {
  const height = Math.round(Math.max(220, Math.min(340, width * 0.42)));
  const all = series.flatMap(({ values }) => [...values]).filter((value) => !Number.isNaN(value));
  const [low, high] = [Math.min(0, ...all), Math.max(0, ...all) || 1];
  const ticks = niceSteps(low, high, 4);
  if (ticks.length > 1 && ticks.at(-1) < high) ticks.push(2 * ticks.at(-1) - ticks.at(-2));
  const top = Math.max(high, ticks.at(-1));
  const left = Math.max(...ticks.map((value) => widthOf(tick(value, unit)))) + 10;
  const [right, above, below] = [10, 12, 26];
  const svg = canvasOf(width, height, label);
  const across = (i) => left + (names.length < 2 ? 0.5 : i / (names.length - 1)) * (width - left - right);
  const up = (value) => above + (1 - (value - low) / (top - low)) * (height - above - below);
  for (const value of ticks) {
    svg.append(draw("line", { x1: left, x2: width - right, y1: round(up(value)), y2: round(up(value)), class: "grid" }),
      say(left - 8, up(value) + 5, tick(value, unit), "soft", "end"));
  }
  let free = -Infinity;
  names.forEach((name, i) => {
    const [words, half] = [titles(name, false), widthOf(titles(name, false)) / 2];
    const x = Math.min(Math.max(across(i), half), width - half);
    if (x - half < free) return;
    free = x + half + 22;
    svg.append(say(x, height - 6, words, "soft", "middle"));
  });
  for (const { values, kind } of series) {
    const shape = outline(values, across, up);
    if (kind === "revenue") {
      const base = round(up(Math.max(0, low)));
      svg.append(draw("path", { d: area(values, across, up, base), class: "area" }));
    }
    svg.append(draw("path", { d: shape, class: `line ${kind}` }));
  }
  const points = names.map((name, i) => ({
    x: across(i), y: up(series[0].values[i] || 0), key: name,
    words: () => [titles(name, true), ...series.filter(({ values }) => !Number.isNaN(values[i] ?? NaN))
      .map((each) => `${each.label}: ${text(each.values[i], unit, true)}`)],
  }));
  return { svg, points, cursor: "x" };
};
const outline = (values, across, up) => {
  let [shape, pen] = ["", "M"];
  values.forEach((value, i) => {
    if (Number.isNaN(value)) { pen = "M"; return; }
    shape += `${pen}${round(across(i))} ${round(up(value))}`;
    // A lone point is drawn as a dot: a line of no length with round ends.
    if (pen === "M" && !(i + 1 < values.length && !Number.isNaN(values[i + 1]))) shape += "h0.01";
    pen = "L";
  });
  return shape;
};
const area = (values, across, up, base) => {
  const drawn = [...values.keys()].filter((i) => !Number.isNaN(values[i]));
  if (drawn.length < 2) return "";
  const over = drawn.map((i) => `L${round(across(i))} ${round(up(values[i]))}`).join("").slice(1);
  return `M${over}L${round(across(drawn.at(-1)))} ${base}L${round(across(drawn[0]))} ${base}Z`;
};

const SHAPES = {
  circle: (r) => `m${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  triangle: (r) => `m0 ${-1.2 * r}l${1.15 * r} ${2 * r}h${-2.3 * r}z`,
  square: (r) => `m${-0.9 * r} ${-0.9 * r}h${1.8 * r}v${1.8 * r}h${-1.8 * r}z`,
  diamond: (r) => `m0 ${-1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}z`,
  down: (r) => `m0 ${1.2 * r}l${-1.15 * r} ${-2 * r}h${2.3 * r}z`,
};
const SHAPE_OF = { __proto__: null, nano: "circle", micro: "triangle", mid: "square", macro: "diamond", mega: "down", celebrity: "square" };

// A cloud of points on two logarithmic axes, one shape and colour a group.
// people: [{ key, group, … }]; `at` names their two values; guides: [{ slope, kind }] through the origin.
const cloud = ({ width, people, at, units, axes, label, guides = [], colourOf, groups, words }) => {
  const height = Math.round(Math.max(280, Math.min(430, width * 0.72)));
  const svg = canvasOf(width, height, label);
  const [xs, ys] = at.map((name) => logScale(people.map((each) => each[name])));
  const left = Math.max(...ys.ticks.map((value) => widthOf(tick(value, units[1])))) + 12;
  const [right, above, below] = [14, 28, 46];
  const across = (value) => left + xs.at(value) * (width - left - right);
  const up = (value) => above + (1 - ys.at(value)) * (height - above - below);
  for (const value of ys.ticks) {
    svg.append(draw("line", { x1: left, x2: width - right, y1: round(up(value)), y2: round(up(value)), class: "grid" }),
      say(left - 8, up(value) + 5, tick(value, units[1]), "soft", "end"));
  }
  let free = -Infinity;
  for (const value of xs.ticks) {
    const half = widthOf(tick(value, units[0])) / 2;
    const x = Math.min(across(value), width - half);
    if (x - half < free) continue;
    free = x + half + 12;
    svg.append(say(x, height - 26, tick(value, units[0]), "soft", "middle"));
  }
  svg.append(say(0, 14, `${axes[1]} ↑`, "soft"), say(width - right, height - 5, `${axes[0]} →`, "soft", "end"));
  for (const { slope, kind } of guides) {
    // On logarithmic axes y = slope × x is a straight line too.
    const ends = [xs.low, xs.high].map((x) => [x, slope * x]);
    const clip = ends.map(([x, y]) => (y < ys.low ? [ys.low / slope, ys.low] : y > ys.high ? [ys.high / slope, ys.high] : [x, y]));
    if (clip[0][0] >= clip[1][0]) continue;
    const [[x1, y1], [x2, y2]] = clip.map(([x, y]) => [across(x), up(y)]);
    svg.append(draw("line", { x1: round(x1), y1: round(y1), x2: round(x2), y2: round(y2), class: `guide ${kind}` }));
  }
  // Thousands of points are dots: a line of no length with round ends is the quickest to draw.
  const many = people.length > 1500;
  const radius = people.length > 300 ? 3.2 : 4.5;
  const shapes = Object.fromEntries(groups.map((group) => [group, []]));
  const glyphs = Object.fromEntries(groups.map((group) => [group, many ? "h0.01" : SHAPES[SHAPE_OF[group] ?? "circle"](radius)]));
  const points = people.map((each) => {
    const [x, y] = [round(across(each[at[0]])), round(up(each[at[1]]))];
    shapes[each.group].push(`M${x} ${y}${glyphs[each.group]}`);
    return { x, y, key: each.key, words: () => words(each) };
  });
  for (const group of groups) {
    const path = draw("path", { d: shapes[group].join(""), class: many ? "points dots" : "points" });
    path.style.setProperty("--own", colourOf(group));
    svg.append(path);
  }
  return { svg, cursor: "xy", points };
};
const logScale = (values) => {
  const [least, most] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, 0]);
  if (!(most > 0)) return { low: 1, high: 10, ticks: [1, 10], at: () => 0.5 };
  const [low, high] = [least * 0.8, Math.max(most * 1.25, least * 4)];
  const [start, length] = [Math.log(low), Math.log(high / low)];
  const ticks = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) {
    for (const step of high / low > 300 ? [1] : [1, 2, 5]) {
      if (power * step >= low && power * step <= high) ticks.push(power * step);
    }
  }
  return { low, high, ticks: ticks.length ? ticks : [least], at: (value) => (Math.log(value) - start) / length };
};

// What a chart looks like, written into a copy of it, so that it stands alone.
const STYLED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "fill-opacity",
                "stroke-opacity", "opacity", "font-size", "font-weight"];
const standalone = (svg, title) => {
  const copy = svg.cloneNode(true);
  const [from, to] = [svg, copy].map((root) => [...root.querySelectorAll("*")]);
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of STYLED) to[i].setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "tabindex", "role", "aria-pressed", "data-key", "style"]) to[i].removeAttribute(name);
  });
  copy.querySelectorAll(".cursor").forEach((each) => each.remove());
  const [width, height] = [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))];
  const page = getComputedStyle(document.body);
  const frame = draw("svg", { width: width + 40, height: height + 76, role: "img",
                              viewBox: `-20 -56 ${width + 40} ${height + 76}`, "font-family": FONTS });
  const heading = draw("text", { x: 0, y: -28, "font-size": 18, "font-weight": 600, fill: page.color }, title);
  frame.append(draw("title", {}, title),
    draw("rect", { x: -20, y: -56, width: width + 40, height: height + 76, fill: page.backgroundColor }),
    heading, ...copy.childNodes);
  return frame;
};
const svgText = (svg, title) => new XMLSerializer().serializeToString(standalone(svg, title));
const pngOf = async (svg, title) => {
  const frame = standalone(svg, title);
  // An image cannot use the fonts of the page: it carries its own.
  frame.prepend(draw("style", {}, document.querySelector("style").textContent.match(/@font-face \{[^}]*\}/g)?.join("") ?? ""));
  const source = new XMLSerializer().serializeToString(frame);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = Number(frame.getAttribute("width")) * 2;
  canvas.height = Number(frame.getAttribute("height")) * 2;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => { canvas.toBlob(done, "image/png"); });
};
