// The table, its CSV, the command that prints the same, and the list of every metric.

const columnsShown = () => (state.columns ?? facts.columns[state.by] ?? facts.columns[""]).filter((name) => name in declared);
const verdict = (name, value) => {
  const band = settings().bands[name];
  if (!band || Number.isNaN(value)) return "";
  const turn = declared[name].good === "down" ? -1 : 1;
  if (reaches(turn * value, turn * band.good)) return "good";
  return reaches(turn * value, turn * band.ok) ? "ok" : "poor";
};
const showTable = () => {
  const names = columnsShown();
  const found = metricsBy(shown.current, names, state.by);
  shown.table = found;
  const sort = names.includes(state.sort) ? state.sort : state.sort === "name" ? "name" : isTime(state.by) ? "name" : names[0];
  const down = state.sort ? state.down : !isTime(state.by);
  const order = sort === "name" ? found.rows.map((_, i) => i) : ordered(found, sort, down ? -1 : 1);
  if (sort === "name" && down) order.reverse();
  const pages = Math.max(1, Math.ceil(order.length / state.size));
  state.page = Math.min(Math.max(0, state.page), pages - 1);
  const first = state.page * state.size;
  const header = [["name", facts.labels[state.by]], ...names.map((name) => [name, labelOf(name)])].map(([name, label], place) => {
    const button = make("button", { type: "button", title: place ? `${declared[name].description} ${declared[name].formula}` : "" }, label);
    button.addEventListener("click", () => {
      const flip = sort === name ? !down : place > 0;
      set({ sort: name, down: flip, page: 0 });
      document.querySelector(`#table th[data-name="${name}"] button`)?.focus();
    });
    const cell = make("th", { scope: "col", class: place ? "num" : "" }, button);
    cell.dataset.name = name;
    if (sort === name) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
    return cell;
  });
  $("table").tHead.replaceChildren(make("tr", {}, ...header));
  $("table").caption.textContent = `${facts.labels[state.by]}: ${plural(order.length, "row")}`;
  $("table").tBodies[0].replaceChildren(...order.slice(first, first + state.size).map((i) => tableRow(found, i, names)));
  $("place").textContent = order.length ? `${grouped(first + 1, 0)}–${grouped(Math.min(first + state.size, order.length), 0)} of ${grouped(order.length, 0)}` : "Nothing in this selection";
  $("before").disabled = state.page === 0;
  $("after").disabled = state.page >= pages - 1;
  const bands = names.filter((name) => settings().bands[name]);
  $("legend").textContent = bands.map((name) => {
    const { good, ok } = settings().bands[name];
    const [ends, rest] = declared[name].good === "down" ? ["to", "above"] : ["from", "below"];
    return `${declared[name].label}: ▲ good ${ends} ${tick(good, declared[name].unit)}, ■ fair ${ends} ${tick(ok, declared[name].unit)}, ▼ poor ${rest}.`;
  }).join(" ");
  $("command").textContent = commandOf(names);
};
const tableRow = (found, i, names) => {
  const key = keyOf(found, i);
  const head = make("th", { scope: "row" }, plain(found.labels[i]));
  if (found.by === "influencer" && found.labels[i] !== null) head.append(make("span", { class: "about" }, aboutPerson(found.rows[i])));
  const row = make("tr", {}, head, ...names.map((name) => {
    const value = found.columns[name][i];
    const cell = make("td", { class: "num" }, Number.isNaN(value) ? words(shown.current, name, value, readAt(shown.current, found.by, found.rows[i])) : text(value, declared[name].unit));
    const band = verdict(name, value);
    if (band) cell.classList.add(`band-${band}`);
    if (Number.isNaN(value)) cell.classList.add("none");
    cell.dataset.value = csvNumber(value);
    return cell;
  }));
  row.dataset.key = key;
  return row;
};
const aboutPerson = (row) => [cube.people.influencer_id[row], ...["platform", "tier", "category"].map((name) => {
  const { codes, values } = cube.people[name];
  return values[codes[row]];
})].filter((value) => value !== null).map(plain).join(" · ");

// The whole table as `hkreport metrics --format csv` prints it: raw numbers, in the order of the keys.
const csvOf = () => {
  const found = shown.table;
  const names = columnsShown();
  const keys = found.by === "influencer" ? ["influencer_id", "influencer"] : [found.by];
  const rows = found.rows.map((row, i) => {
    const labels = found.by === "influencer" ? [cube.people.influencer_id[row] ?? UNASSIGNED, found.labels[i] ?? UNASSIGNED] : [found.labels[i] ?? UNASSIGNED];
    return [...labels.map(csvText), ...names.map((name) => csvNumber(found.columns[name][i]))];
  });
  return [[...keys, ...names], ...rows].map((cells) => `${cells.join(",")}\n`).join("");
};
const commandOf = (names) => {
  const quoted = (value) => (/^[\w.,:/-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`);
  const parts = ["hkreport metrics DATA --format csv", `--by ${state.by}`, `--metric ${names.join(",")}`];
  const days = snapped(cube, daysOf(state.from, state.to));
  if (days) parts.push(`--period ${iso(days[0])}..${iso(days[1])}`);
  for (const [name, chosen] of Object.entries(state.values)) {
    if (chosen.length && name !== "influencer") parts.push(`--${name.replace("_", "-")} ${quoted(chosen.join(","))}`);
  }
  const sought = peopleSought();
  if (sought?.length === 0) return "No command prints this: the search finds nobody.";
  if (sought) parts.push(`--influencer ${quoted(sought.join(","))}`);
  if (state.minRoas !== null) parts.push(`--min-roas ${state.minRoas}`);
  if (state.minPrice !== null) parts.push(`--min-price ${state.minPrice}`);
  if (state.maxPrice !== null) parts.push(`--max-price ${state.maxPrice}`);
  return parts.join(" ");
};
// Ids that the search and the picked influencers keep together; null where neither is used.
const peopleSought = () => {
  if (!state.search.trim() && !state.values.influencer.length) return null;
  const alone = { ...fresh().values, influencer: state.values.influencer };
  const { people } = masksOf(cube, { ...filtersOf(null, alone), minPrice: null, maxPrice: null });
  return cube.people.influencer_id.filter((id, i) => people[i] && id !== null);
};

const showAll = () => {
  if (!$("all").open) return;
  const { current, against } = shown;
  const names = facts.metrics.map((metric) => metric.name);
  const now = metricsBy(current, names).columns;
  const before = against.slice && compute(against.slice, declared, names).columns;
  const read = readAt(current, "", 0);
  const rows = facts.metrics.filter(({ expression }) => expression.kind !== "score").map((metric) => {
    const value = now[metric.name][0];
    const cell = make("td", { class: "num" }, Number.isNaN(value) ? `n/a (${reasonFor(current, declared, metric.name, read)})` : text(value, metric.unit));
    cell.dataset.value = csvNumber(value);
    const row = make("tr", {}, make("th", { scope: "row" }, metric.label), cell,
      ...(before ? [make("td", { class: "num" }, text(before[metric.name][0], metric.unit))] : []),
      make("td", {}, metric.formula), make("td", {}, [metric.description, metric.caveat].filter(Boolean).join(" ")));
    row.dataset.metric = metric.name;
    return row;
  });
  const head = ["Metric", "Value", ...(before ? [against.name.replace(/^t/, "T")] : []), "Formula", "Meaning"];
  $("all").lastElementChild.replaceChildren(make("table", {}, make("caption", { class: "sr" }, "Every metric of this selection"),
    make("thead", {}, make("tr", {}, ...head.map((label, i) => make("th", { scope: "col", class: i === 1 || (before && i === 2) ? "num" : "" }, label)))),
    make("tbody", {}, ...rows)));
};

