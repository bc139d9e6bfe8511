// What the page is about: its declarations, the state that its address holds, and what that asks of the cube.

const $ = (id) => document.getElementById(id);
const make = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
};
const later = (milliseconds, work) => {
  let waiting = 0;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(work, milliseconds);
  };
};

// Kept by names that come from outside: nothing but what was put in answers, not even "constructor".
const bare = (held) => Object.assign(Object.create(null), held);
const facts = JSON.parse($("facts").textContent);
for (const name of ["brands", "colours"]) facts[name] = bare(facts[name]);
const declared = bare(Object.fromEntries(facts.metrics.map((metric) => [metric.name, metric])));
const plain = (value) => (value === null ? UNASSIGNED : oneLine(value) || "(blank)");
const many = (by) => facts.labels[by].toLowerCase().replace(/y$/, "ie").replace(/is$/, "e") + "s";
const inside = (name) => labelOf(name).replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
const labelOf = (name) => declared[name].label.replace(" (summed, not de-duplicated)", "");
let cube = null;
let shown = null;

// State: what the address of the page holds.

const fresh = () => ({
  values: Object.fromEntries([...facts.filters, "influencer"].map((name) => [name, []])),
  from: "", to: "", search: "", minRoas: null, minPrice: null, maxPrice: null, compare: "previous",
  by: "influencer", sort: "", down: true, page: 0, size: 25, columns: null,
  topBy: "influencer", topMetric: "influencer_revenue", topCount: 10, topEnd: "",
  productMetric: "revenue", platformMetric: "influencer_revenue",
  absent: [], // what the address names and this data does not have
});
let state = fresh();
const TEXTS = ["from", "to", "search", "compare", "by", "sort", "topBy", "topMetric", "topEnd", "productMetric", "platformMetric"];
const NUMBERS = ["minRoas", "minPrice", "maxPrice"];

const toHash = () => {
  const [words, base] = [new URLSearchParams(), fresh()];
  for (const [name, chosen] of Object.entries(state.values)) for (const value of chosen) words.append(name, value);
  for (const name of TEXTS) if (state[name] !== base[name]) words.set(name, state[name]);
  for (const name of [...NUMBERS, "page", "size", "topCount"]) if (state[name] !== base[name]) words.set(name, state[name]);
  if (!state.down) words.set("down", "0");
  if (state.columns) words.set("columns", state.columns.join(" "));
  return words.toString();
};
// The data's own spelling of a value that a person typed into the address; of two that differ in case only, as typed.
const spellings = (all) => {
  const [exact, alike] = [new Set(all), new Map()];
  for (const value of exact) {
    const folded = value.toLowerCase();
    alike.set(folded, alike.has(folded) ? undefined : value);
  }
  return (typed) => (exact.has(typed) ? typed : alike.get(typed.toLowerCase()));
};
const fromHash = (hash = location.hash) => {
  const words = new URLSearchParams(hash.slice(1));
  const read = fresh();
  for (const name of Object.keys(read.values)) {
    const allowed = name === "influencer" ? cube.people.influencer_id : valuesOf(cube, name);
    const spelt = spellings(allowed.map((value) => value ?? UNASSIGNED));
    read.values[name] = [...new Set(words.getAll(name).map(spelt))].filter((value) => value !== undefined);
    for (const typed of new Set(words.getAll(name))) if (spelt(typed) === undefined) read.absent.push([name, typed]);
  }
  for (const name of TEXTS) if (words.has(name)) read[name] = words.get(name);
  for (const name of ["from", "to"]) if (!isDay(read[name])) read[name] = "";
  for (const name of NUMBERS) read[name] = amount(words.get(name) ?? "");
  for (const name of ["page", "size", "topCount"]) if (/^\d{1,6}$/.test(words.get(name) ?? "")) read[name] = Number(words.get(name));
  read.down = words.get("down") !== "0";
  const columns = (words.get("columns") ?? "").split(" ").filter((name) => name in declared);
  if (columns.length) read.columns = columns;
  const base = fresh();
  if (!BY().includes(read.by)) read.by = base.by;
  if (!TOP_BY().includes(read.topBy)) read.topBy = base.topBy;
  for (const name of ["topMetric", "productMetric", "platformMetric"]) if (!(read[name] in declared)) read[name] = base[name];
  if (!SIZES.includes(read.size)) read.size = base.size;
  if (!COUNTS.includes(read.topCount)) read.topCount = base.topCount;
  if (!["", "high", "low"].includes(read.topEnd)) read.topEnd = "";
  if (![...cube.things.brand.values.filter(Boolean).map((name) => `brand:${name}`), "nothing"].includes(read.compare)) read.compare = base.compare;
  return read;
};
const isDay = (words) => /^\d{4}-\d\d-\d\d$/.test(words) && !Number.isNaN(dayOf(words)) && iso(dayOf(words)) === words;
const amount = (words) => (words.trim() === "" || !Number.isFinite(Number(words)) ? null : Math.round(Number(words) * 1e6) / 1e6);
const SIZES = [10, 25, 50, 100, 500];
const COUNTS = [5, 10, 20, 50];
const BY = () => ["influencer", "brand", "product", "product_category", "campaign", ...TRAITS, ...cube.steps];
const TOP_BY = () => BY().filter((name) => !isTime(name));

// Back undoes what a reader chose, one choice a step. What is typed into one field is one step, however many
// letters; leafing, sorting and columns are none.
const NO_STEP = ["page", "size", "sort", "down", "columns"];
const TYPED = ["from", "to", "search", ...NUMBERS];
let last = { chosen: false, typed: "" };
const differing = (one, other) => {
  const [a, b] = [one, other].map((hash) => new URLSearchParams(hash));
  const names = new Set([...a.keys(), ...b.keys()].filter((name) => !NO_STEP.includes(name)));
  return [...names].filter((name) => a.getAll(name).join("\n") !== b.getAll(name).join("\n"));
};
const remember = later(250, () => {
  const [hash, before, { chosen }] = [toHash(), location.hash.slice(1), last];
  last.chosen = false;
  if (hash === before) return;
  const names = differing(before, hash);
  const typed = names.length === 1 && TYPED.includes(names[0]) ? names[0] : "";
  const isNew = chosen && names.length && !(typed && typed === last.typed);
  history[isNew ? "pushState" : "replaceState"](null, "", `#${hash}`);
  if (names.length) last.typed = typed;
});

// What the state asks the cube for.

const daysOf = (from, to) => {
  if (!from && !to) return null;
  return [from ? dayOf(from) : cube.first_day, to ? dayOf(to) : cube.last_day];
};
const filtersOf = (days, values = state.values) => ({
  values, days, search: state.search, minRoas: state.minRoas, minPrice: state.minPrice, maxPrice: state.maxPrice,
});
const settings = () => {
  const [only, ...others] = state.values.brand;
  return (only && !others.length && facts.brands[only]) || facts.settings;
};
let population = { key: null, made: null };
const populationOf = (current) => () => {
  const { days, values, search, minRoas, minPrice, maxPrice } = current.filters;
  const others = Object.entries(values).some(([name, chosen]) => name !== "brand" && chosen.length);
  if (!others && !search.trim() && minRoas === null && minPrice === null && maxPrice === null) return current;
  const key = JSON.stringify([days, values.brand]);
  if (population.key !== key) {
    const values_ = { ...fresh().values, brand: values.brand };
    population = { key, made: slice(cube, { ...current.filters, values: values_, search: "", minRoas: null, minPrice: null, maxPrice: null }) };
  }
  return population.made;
};
const metricsBy = (current, names, by = "") =>
  compute(current, declared, names, by, { scores: settings().scores, population: populationOf(current) });

// The stretch before: as many whole months where whole months are chosen, else as many days.
const daysBefore = ([from, to]) => {
  const whole = stepStart(from, "month") === from && stepStart(to + 1, "month") === to + 1;
  if (!whole) return [from - (to - from + 1), from - 1];
  const [a, b] = [from, to + 1].map((day) => new Date(day * DAY));
  const months = (b.getUTCFullYear() - a.getUTCFullYear()) * 12 + b.getUTCMonth() - a.getUTCMonth();
  return [firstOf(a.getUTCFullYear(), a.getUTCMonth() - months), from - 1];
};
// What a whole month, quarter or year is called; other stretches have no name of their own.
const shortName = ([from, to]) => {
  const step = ["month", "quarter", "year"].find((each) => stepStart(from, each) === from && stepEnd(from, each) === to + 1);
  return step === "month" ? `${MONTHS[new Date(from * DAY).getUTCMonth()]} ${iso(from).slice(0, 4)}` : step ? stepName(from, step) : "the period before";
};
// Whether data ends so long before a stretch that it is no whole one: as Period.is_cut_by has it.
const isCut = ([from, to]) => to - dayOf(cube.data[1]) > spare(from, to);
const spare = (from, to) => Math.min(7, Math.floor((to - from + 1) / 10));
const comparison = (current) => {
  if (state.compare === "nothing") return { words: "" };
  if (state.compare.startsWith("brand:")) {
    const brand = state.compare.slice(6);
    const other = slice(cube, filtersOf(current.filters.days, { ...state.values, brand: [brand] }));
    return { slice: other, name: plain(brand), words: `Compared with ${plain(brand)} under the same filters.` };
  }
  const days = snapped(cube, current.filters.days);
  if (!days) return { words: "" };
  if (days[0] > days[1]) return { words: `Nothing lies between the dates: ${inWords(days[0])} comes after ${inWords(days[1])}.` };
  const before = daysBefore(days);
  const name = `${inWords(before[0])} to ${inWords(before[1])}`;
  const begins = cube.data[0] ? dayOf(cube.data[0]) : Infinity;
  if (begins - before[0] > spare(...before)) {
    return { words: begins < Infinity ? `No comparison: ${name} begins before the data, ${inWords(begins)}.` : "" };
  }
  if (isCut(days)) return { words: `No comparison: the data ends ${inWords(dayOf(cube.data[1]))}, before ${inWords(days[1])}.` };
  return { slice: slice(cube, filtersOf(before)), days: before, name: shortName(before), words: `Compared with ${name} under the same filters.` };
};

