// The cube: unpacked once, then summed anew for every selection. Sums are whole numbers of steps, so that
// their order does not matter; they are divided by the scale at the very end, and ratios come after that.

const inflate = async (words) => {
  const packed = Uint8Array.from(atob(words), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

// One column: unsigned numbers by byte planes or in sevens of bits, signs folded in, maybe differences.
const unpack = (bytes, start, column, count, into) => {
  const differences = column.coding.startsWith("d");
  if (column.coding.endsWith("planes")) {
    for (let plane = 0, weight = 1; plane * count < column.bytes; plane += 1, weight *= 256) {
      const from = start + plane * count;
      for (let i = 0; i < count; i += 1) into[i] += bytes[from + i] * weight;
    }
  } else {
    let at = start;
    for (let i = 0; i < count; i += 1) {
      let value = 0;
      let weight = 1;
      while (bytes[at] > 127) {
        value += (bytes[at] - 128) * weight;
        weight *= 128;
        at += 1;
      }
      into[i] = value + bytes[at] * weight;
      at += 1;
    }
  }
  let last = 0;
  for (let i = 0; i < count; i += 1) {
    const folded = into[i];
    const value = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
    last = differences ? last + value : value;
    into[i] = last;
  }
};

const KEYS = ["person", "day", "thing", "campaign"];
const POSTS_MAY_NOT_NAME = ["brand", "product", "product_category", "campaign"];

// The bytes: the length of the header, the header as JSON, and the columns in the order it tells.
const openCube = (bytes) => {
  const scales = {};
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let start = 4 + length;
  const sections = header.sections.map(({ kind, cells, columns }) => {
    const section = { kind, cells, measures: [] };
    for (const key of KEYS) section[key] = new Int32Array(0);
    for (const column of columns) {
      const values = new Float64Array(cells);
      unpack(bytes, start, column, cells, values);
      start += column.bytes;
      if (KEYS.includes(column.name)) section[column.name] = Int32Array.from(values);
      else {
        section.measures.push({ name: column.name, values });
        scales[column.name] = column.scale;
      }
    }
    return section;
  });
  const names = [...new Set(sections.flatMap((section) => section.measures.map((each) => each.name)))];
  for (const section of sections) {
    for (const measure of section.measures) measure.place = names.indexOf(measure.name);
  }
  const { people, things, campaigns } = header;
  people.names = people.influencer.map((name, i) => name ?? people.influencer_id[i]);
  people.sought = people.names.map((name, i) => `${name}\n${people.influencer_id[i]}`.toLowerCase());
  const drawn = people.names.map((name) => (name === null ? UNASSIGNED : oneLine(name) || "(blank)"));
  const bearers = new Map();
  for (const name of drawn) bearers.set(name, (bearers.get(name) ?? 0) + 1);
  // Names repeat, ids do not.
  people.shown = drawn.map((name, i) => (bearers.get(name) > 1 ? `${name} (${people.influencer_id[i] ?? UNASSIGNED})` : name));
  return {
    ...header, sections, scales, names, known: new Set(header.known),
    persons: people.influencer_id.length, kinds: things.product_price.length, labels: campaigns.length,
    nobody: people.influencer_id.length - 1,
    // Steps of time: sums of weeks cannot be cut into months.
    steps: { day: ["day", "week", "month", "quarter", "year"], week: ["week"],
             month: ["month", "quarter", "year"], quarter: ["quarter", "year"], year: ["year"] }[header.grain],
    last_day: sections.reduce((most, { day }) => day.reduce((a, b) => Math.max(a, b), most), 0)
      + header.first_day - 1,
  };
};

const TRAITS = ["platform", "tier", "category", "gender", "persona", "city", "payout_basis"];
const ofThings = (name) => ["brand", "product", "product_category"].includes(name);
const isTime = (name) => ["day", "week", "month", "quarter", "year"].includes(name);

const valuesOf = (cube, name) =>
  name === "campaign" ? cube.campaigns : (ofThings(name) ? cube.things : cube.people)[name].values;

// Which rows of a dictionary a choice of values keeps; null keeps all.
const chosenRows = (column, chosen) => {
  const wanted = column.values.map((value) => chosen.includes(value === null ? UNASSIGNED : value));
  return column.codes.map((code) => wanted[code]);
};
const UNASSIGNED = "unassigned";

const masksOf = (cube, filters) => {
  const people = new Uint8Array(cube.persons).fill(1);
  const things = new Uint8Array(cube.kinds).fill(1);
  const campaigns = new Uint8Array(cube.labels).fill(1);
  for (const [name, chosen] of Object.entries(filters.values)) {
    if (!chosen.length) continue;
    if (name === "campaign") {
      cube.campaigns.forEach((value, i) => { campaigns[i] &= chosen.includes(value ?? UNASSIGNED); });
    } else if (name === "influencer") {
      cube.people.influencer_id.forEach((id, i) => { people[i] &= chosen.includes(id ?? UNASSIGNED); });
    } else {
      const mask = ofThings(name) ? things : people;
      const column = (ofThings(name) ? cube.things : cube.people)[name];
      chosenRows(column, chosen).forEach((kept, i) => { mask[i] &= kept; });
    }
  }
  const sought = filters.search.trim().toLowerCase();
  if (sought) {
    cube.people.sought.forEach((words, i) => { people[i] &= i !== cube.nobody && words.includes(sought); });
  }
  const [least, most] = [filters.minPrice, filters.maxPrice];
  if (least !== null || most !== null) {
    cube.things.product_price.forEach((price, i) => {
      things[i] &= price !== null && (least === null || price >= least) && (most === null || price <= most);
    });
  }
  return { people, things, campaigns };
};

// The dates as cells have them; where cells are weeks or months, widened to whole ones.
const snapped = (cube, days) => {
  if (!days) return null;
  return [stepStart(days[0], cube.grain), stepEnd(days[1], cube.grain) - 1];
};

// Cells that the masks and dates keep, and their sums by influencer, in one pass each.
const slice = (cube, filters) => {
  const { people, things, campaigns } = masksOf(cube, filters);
  const days = snapped(cube, filters.days);
  const [from, to] = days ? days.map((day) => day - cube.first_day + 1) : [-Infinity, Infinity];
  const since = days ? Math.max(from, 1) : 0;
  const until = days ? to : 2 ** 31 - 1;
  const keep = (section) => {
    const { person, day, thing, campaign, cells } = section;
    const list = new Int32Array(cells);
    let count = 0;
    for (let i = 0; i < cells; i += 1) {
      if (day[i] >= since && day[i] <= until && people[person[i]] && things[thing[i]] && campaigns[campaign[i]]) {
        list[count] = i;
        count += 1;
      }
    }
    return { list, count };
  };
  let lists = cube.sections.map(keep);
  const untold = untoldIn(cube, filters);
  const known = untold.length
    ? new Set([...cube.known].filter((name) => !isPostMeasure(cube, name))) : cube.known;
  const made = { cube, filters, lists, known, untold, hidden: null, kept: new Map() };
  if (filters.minRoas === null) return made;
  const hidden = hide(made, people, filters.minRoas);
  lists = lists.map(({ list, count }, s) => {
    const { person } = cube.sections[s];
    let kept = 0;
    for (let k = 0; k < count; k += 1) {
      if (people[person[list[k]]]) {
        list[kept] = list[k];
        kept += 1;
      }
    }
    return { list, count: kept };
  });
  return { ...made, lists, hidden, kept: new Map() };
};

const POST_MEASURES = ["posts", "reach", "impressions", "views", "likes", "comments", "shares", "saves", "clicks",
                       "engagements", "reached_engagements", "follower_base"];
const isPostMeasure = (cube, name) => POST_MEASURES.includes(name);

// Dimensions that a filter cuts by although no post names one (under a brand, no post of it): posts are then
// unknown, not 0.
const untoldIn = (cube, filters) => {
  if (!cube.known.has("posts")) return [];
  const asked = POSTS_MAY_NOT_NAME.filter((name) => filters.values[name]?.length);
  if (!asked.length) return [];
  const { thing, campaign, cells } = cube.sections.find(({ kind }) => kind === "post");
  const brands = filters.values.brand;
  const ofBrand = brands?.length ? chosenRows(cube.things.brand, brands) : null;
  return asked.filter((name) => {
    const own = name === "brand" ? null : ofBrand;
    let posts = 0;
    const codes = name === "campaign" ? campaign : thing;
    const named = name === "campaign" ? cube.campaigns.map((value) => value !== null)
      : cube.things[name].codes.map((code) => cube.things[name].values[code] !== null);
    for (let i = 0; i < cells; i += 1) {
      if (own && !own[thing[i]]) continue;
      if (named[codes[i]]) return false;
      posts += 1;
    }
    return posts > 0;
  });
};

// Whether a value is at least a limit: as hkreport.metrics.reaches has it.
const reaches = (value, least) => value >= least - 1e-12 * Math.abs(least);

// Takes out everybody below a minimum ROAS, and what belongs to nobody; tells what that hides.
const hide = (slice, people, least) => {
  const { cube, known } = slice;
  const { present } = groupsOf(slice, "influencer");
  const names = ["influencer_revenue", "spend", "revenue"];
  const [revenue, spend, all] = names.map((name) => sumsOf(slice, "influencer", name));
  const [credited, paid, whole] = names.map((name) => (known.has(name) ? cube.scales[name] ?? 1 : NaN));
  const gone = { influencers: 0, revenue: 0, spend: 0, all: 0 };
  for (let i = 0; i < cube.persons; i += 1) {
    if (!present[i]) continue;
    const passes = i !== cube.nobody && spend[i] > 0 && reaches(revenue[i] / credited / (spend[i] / paid), least);
    if (passes) continue;
    gone.influencers += i === cube.nobody ? 0 : 1;
    gone.revenue += revenue[i];
    gone.spend += spend[i];
    gone.all += all[i];
    people[i] = 0;
  }
  const brought = gone.revenue / credited || 0;
  const others = Math.round(((gone.all / whole || 0) - brought) * 1e6) / 1e6;
  return { influencers: gone.influencers, revenue: brought, spend: gone.spend / paid || 0, others };
};

// Groups of a slice by a dimension or a step of time: how many there are, and which of them hold anything.
// Four passes over the cells are the base; other groupings roll their sums up. Sums are worked out when asked.
const groupsOf = (slice, by) => {
  if (!slice.kept.has(by)) slice.kept.set(by, makeGroups(slice, by));
  return slice.kept.get(by);
};
const baseOf = (by) => (ofThings(by) ? "thing" : isTime(by) ? "days" : by === "campaign" ? by : "influencer");
const KEY_OF = { influencer: "person", thing: "thing", campaign: "campaign", days: "day" };
const makeGroups = (slice, by) => {
  const { cube, lists } = slice;
  if (by in KEY_OF) {
    const groups = { influencer: cube.persons, thing: cube.kinds, campaign: cube.labels,
                     days: Math.max(1, cube.last_day - cube.first_day + 2) }[by];
    const present = new Uint8Array(groups);
    cube.sections.forEach((section, s) => mark(present, section[KEY_OF[by]], lists[s], 1 << s));
    return { groups, present, codes: null, sums: new Map() };
  }
  const base = groupsOf(slice, baseOf(by));
  const [codes, groups] = by === "" ? [new Uint8Array(base.groups), 1]
    : isTime(by) ? [timeCodes(cube, by).codes, timeCodes(cube, by).names.length]
      : [(ofThings(by) ? cube.things : cube.people)[by].codes, (ofThings(by) ? cube.things : cube.people)[by].values.length];
  const present = new Uint8Array(groups);
  for (let i = 0; i < base.groups; i += 1) present[codes[i]] |= base.present[i];
  return { groups, present, codes, sums: new Map() };
};
const mark = (present, codes, { list, count }, bit) => {
  for (let k = 0; k < count; k += 1) present[codes[list[k]]] |= bit;
};
const addUp = (sums, codes, { list, count }, values) => {
  for (let k = 0; k < count; k += 1) {
    const cell = list[k];
    sums[codes[cell]] += values[cell];
  }
};

// The sums of one measure by group, in steps.
const sumsOf = (slice, by, name) => {
  const { groups, codes, sums } = groupsOf(slice, by);
  if (sums.has(name)) return sums.get(name);
  const made = new Float64Array(groups);
  if (codes) {
    const base = sumsOf(slice, baseOf(by), name);
    for (let i = 0; i < base.length; i += 1) made[codes[i]] += base[i];
  } else {
    slice.cube.sections.forEach((section, s) => {
      const measure = section.measures.find((each) => each.name === name);
      if (measure) addUp(made, section[KEY_OF[by]], slice.lists[s], measure.values);
    });
  }
  sums.set(name, made);
  return made;
};

// Reads one group's sums by the name of the column: NaN where the data knows no such thing.
const reader = (slice, by, row, known = slice.known) => (name) =>
  (known.has(name) ? sumsOf(slice, by, name)[row] / (slice.cube.scales[name] ?? 1) : NaN);

const timeCodes = (cube, step) => {
  cube.timed ??= {};
  cube.timed[step] ??= stepsOfDays(cube, step);
  return cube.timed[step];
};
const stepsOfDays = (cube, step) => {
  const days = Math.max(1, cube.last_day - cube.first_day + 2);
  const codes = new Int32Array(days);
  const names = [];
  for (let place = 1; place < days; place += 1) {
    const name = stepName(place + cube.first_day - 1, step);
    if (names.at(-1) !== name) names.push(name);
    codes[place] = names.length - 1;
  }
  codes[0] = names.length;
  names.push(null);
  return { codes, names };
};

const labelsOf = (cube, by) => {
  if (by === "influencer") return cube.people.names;
  if (by === "") return [""];
  if (isTime(by)) return timeCodes(cube, by).names;
  return valuesOf(cube, by);
};

// Different influencers or campaigns in each group, among rows of some kinds.
const distinct = (slice, by, { column, kinds }) => {
  const { cube, lists } = slice;
  const { groups, codes } = groupsOf(slice, by);
  const counts = new Float64Array(groups);
  const [inner, size] = column === "campaign" ? ["campaign", cube.labels] : ["influencer", cube.persons];
  const bits = cube.sections.reduce((all, { kind }, s) => all | (kinds.includes(kind) ? 1 << s : 0), 0);
  // What has no id or name comes last and is no different one.
  if (by === "" || by === inner || (inner === "influencer" && baseOf(by) === inner)) {
    const { present } = groupsOf(slice, inner);
    for (let i = 0; i < size - 1; i += 1) if (present[i] & bits) counts[by === "" ? 0 : by === inner ? i : codes[i]] += 1;
    return counts;
  }
  const seen = new Uint8Array(groups * size);
  const outer = KEY_OF[baseOf(by)];
  cube.sections.forEach((section, s) => {
    if (!(bits & (1 << s))) return;
    const [groupKeys, keys] = [section[outer], section[KEY_OF[inner]]];
    const { list, count } = lists[s];
    for (let k = 0; k < count; k += 1) {
      const group = codes ? codes[groupKeys[list[k]]] : groupKeys[list[k]];
      seen[group * size + keys[list[k]]] = 1;
    }
  });
  for (let g = 0; g < groups; g += 1) for (let i = 0; i < size - 1; i += 1) counts[g] += seen[g * size + i];
  return counts;
};

// Metrics of a slice, grouped: as hkreport.metrics.compute works them out, column by column in its order.
const compute = (slice, declared, names, by = "", more = {}) => {
  const groups = groupsOf(slice, by);
  const rows = [];
  for (let g = 0; g < groups.groups; g += 1) if (groups.present[g] || by === "") rows.push(g);
  const column = columnsOf(slice, declared, by, rows);
  const columns = {};
  for (const name of names) {
    const { expression } = declared[name];
    columns[name] = expression.kind === "score" ? score(slice, declared, expression, rows, by, more.scores?.[name], more) : column(name);
  }
  const labels = labelsOf(slice.cube, by);
  return { by, rows, columns, labels: rows.map((row) => labels[row]) };
};
const picked = (rows, read) => {
  const values = new Float64Array(rows.length);
  for (let i = 0; i < values.length; i += 1) values[i] = read(rows[i]);
  return values;
};
const columnsOf = (slice, declared, by, rows) => {
  const { cube, known } = slice;
  const kept = new Map();
  const sums = (name) => {
    if (!known.has(name)) return new Float64Array(rows.length).fill(NaN);
    const [found, scale] = [sumsOf(slice, by, name), cube.scales[name] ?? 1];
    return picked(rows, (row) => found[row] / scale);
  };
  const evaluate = (expression) => {
    switch (expression.kind) {
      case "total": {
        const values = sums(expression.column);
        if (!expression.complete) return values;
        const unknown = sums(expression.complete);
        return values.map((value, i) => (unknown[i] === 0 ? value : NaN));
      }
      case "distinct": {
        if (!known.has(expression.column)) return new Float64Array(rows.length).fill(NaN);
        const counts = distinct(slice, by, expression);
        return picked(rows, (row) => counts[row]);
      }
      case "linear": {
        const terms = expression.terms.map(([weight, part]) => column(part).map((value) => weight * value));
        return terms.reduce((left, right) => left.map((value, i) => value + right[i]));
      }
      case "ratio": {
        const [above, below] = [column(expression.numerator), column(expression.denominator)];
        const least = expression.cost ? 0 : -Infinity; // what came back is no cost
        return above.map((value, i) => (below[i] > 0 && value >= least ? (expression.scale * value) / below[i] : NaN));
      }
      case "share": {
        const whole = columnsOf(slice, declared, "", [0])(expression.part)[0];
        return column(expression.part).map((value) => value / (whole > 0 ? whole : NaN));
      }
      default: return new Float64Array(rows.length).fill(NaN);
    }
  };
  const column = (part) => {
    if (typeof part !== "string") return evaluate(part);
    if (!kept.has(part)) kept.set(part, evaluate(declared[part].expression));
    return kept.get(part);
  };
  return column;
};

// Weighted percentile ranks within the brand and dates, whatever else is filtered.
const score = (slice, declared, expression, rows, by, weights, { population }) => {
  const nothing = new Float64Array(rows.length).fill(NaN);
  if (expression.by !== by || !weights) return nothing;
  const parts = Object.entries(weights);
  const base = { ...population(), known: slice.known };
  const scores = remembered(base.kept, `score ${by} ${parts} ${slice.untold}`, () => scoresOf(base, declared, by, parts));
  return picked(rows, (row) => scores[row]);
};
const remembered = (kept, key, work) => {
  if (!kept.has(key)) kept.set(key, work());
  return kept.get(key);
};
const scoresOf = (base, declared, by, parts) => {
  const table = compute(base, declared, parts.map(([name]) => name), by);
  const last = labelsOf(base.cube, by).length - 1;
  const places = table.rows.map((row, i) => (row === last ? -1 : i)).filter((i) => i >= 0);
  const total = new Float64Array(table.rows.length);
  const weight = new Float64Array(table.rows.length);
  for (const [name, share] of parts) {
    const ranks = ranked(table.columns[name], places);
    for (const i of places) {
      if (Number.isNaN(ranks[i])) continue;
      total[i] += ranks[i] * share;
      weight[i] += share;
    }
  }
  const enough = 0.5 * parts.reduce((sum, [, share]) => sum + share, 0);
  const scores = new Float64Array(last + 1).fill(NaN);
  for (const i of places) if (weight[i] >= enough) scores[table.rows[i]] = (100 * total[i]) / weight[i];
  return scores;
};

// Ranks from 0 to 1, ties sharing their mean; NaN stays NaN.
const ranked = (values, places) => {
  const order = places.filter((i) => !Number.isNaN(values[i])).sort((a, b) => values[a] - values[b]);
  const ranks = new Float64Array(values.length).fill(NaN);
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && values[order[end]] === values[order[start]]) end += 1;
    const mean = (start + 1 + end) / 2;
    for (let k = start; k < end; k += 1) ranks[order[k]] = order.length > 1 ? (mean - 1) / (order.length - 1) : 1;
    start = end;
  }
  return ranks;
};

// Why a metric is undefined here, in a few words.
const reasonFor = (slice, declared, name, read) => {
  const unknown = [];
  const walk = (part) => {
    const each = typeof part === "string" ? declared[part] : null;
    const expression = each ? each.expression : part;
    if (expression.kind === "linear") expression.terms.forEach(([, term]) => walk(term));
    else if (expression.kind === "ratio") [expression.numerator, expression.denominator].forEach(walk);
    else if (expression.kind === "share") walk(expression.part);
    else if (expression.column && !slice.known.has(expression.column)) unknown.push([expression.column, each?.label]);
    else if (expression.complete && read(expression.complete) !== 0) unknown.push(["margin", ""]);
  };
  walk(name);
  const [first] = unknown;
  if (!first) {
    const { cost, numerator, denominator } = declared[name].expression;
    if (cost && read(declared[numerator].expression.column) < 0) return `${inSentence(declared[numerator].label)} below 0`;
    const below = declared[denominator];
    if (below?.expression.kind === "total" && read(below.expression.column) < 0) return `${inSentence(below.label)} below 0`;
    return declared[name].reason || "nothing to divide by";
  }
  if (slice.untold.length && isPostMeasure(slice.cube, first[0])) return `posts name no ${slice.untold[0].replace("_", " ")}`;
  if (first[0] === "margin") return "margin unknown for some orders";
  return `no ${inSentence(first[1] || first[0])} in the exports`;
};
const inSentence = (label) => label.replace(/ \(.*/, "").toLowerCase().replaceAll("_", " ");

// ROAS at which credited orders pay for their influencers: their revenue over their profit.
const breakEven = (slice) => {
  const read = reader(slice, "", 0, new Set([...slice.known, "credited_profit", "credited_unknown"]));
  if (!slice.known.has("profit") || read("credited_unknown") !== 0) return NaN;
  const profit = read("credited_profit");
  return profit > 0 ? read("influencer_revenue") / profit : NaN;
};
