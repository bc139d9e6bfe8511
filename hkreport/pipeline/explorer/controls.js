// The filters, and what happens when a reader touches anything.

const option = (value, words) => make("option", { value }, words);
const fill = (select, pairs) => select.replaceChildren(...pairs.map(([value, words]) => option(value, words)));

const periods = () => {
  if (!cube.data[0]) return [];
  const [first, last] = cube.data.map(dayOf);
  const found = [];
  const add = (from, to, words) => {
    if (from <= last && to >= first) found.push([`${iso(from)}..${iso(to)}`, words]);
  };
  const years = [];
  for (let year = new Date(last * DAY).getUTCFullYear(); year >= new Date(first * DAY).getUTCFullYear() && years.length < 40; year -= 1) years.push(year);
  for (const year of years) add(firstOf(year, 0), firstOf(year + 1, 0) - 1, `${year}`);
  for (const year of [...years, years.at(-1) - 1]) add(firstOf(year, 3), firstOf(year + 1, 3) - 1, `FY${year}-${String((year + 1) % 100).padStart(2, "0")}`);
  for (const year of years) for (const q of [3, 2, 1, 0]) add(firstOf(year, 3 * q), firstOf(year, 3 * q + 3) - 1, `${year}-Q${q + 1}`);
  for (const year of years) for (let month = 11; month >= 0; month -= 1) add(firstOf(year, month), firstOf(year, month + 1) - 1, `${MONTHS[month]} ${year}`);
  return found;
};

const buildControls = () => {
  fill($("period"), [["", "All dates"], ...periods(), ["own", "Own dates"]]);
  const brands = forPeople(cube.things.brand.values.filter(Boolean));
  fill($("compare"), [["previous", "The period before"], ...brands.map((name) => [`brand:${name}`, plain(name)]), ["nothing", "Nothing"]]);
  for (const name of facts.filters) {
    const rare = ["persona", "city", "payout_basis"].includes(name);
    const values = valuesOf(cube, name);
    if (values.length > 1) $(rare ? "rare" : "lists").append(listOf(name, presentValues(name, values)));
  }
  $("more").hidden = !$("rare").children.length;
  const [first, last] = [cube.first_day, cube.last_day].map(iso);
  for (const id of ["from", "to"]) Object.assign($(id), { min: first, max: last });
  const [least, most] = cube.things.product_price.reduce(([a, b], price) => (price === null ? [a, b] : [Math.min(a, price), Math.max(b, price)]), [Infinity, -Infinity]);
  if (least <= most) Object.assign($("minPrice"), { placeholder: least }) && Object.assign($("maxPrice"), { placeholder: most });
  fill($("by"), BY().map((name) => [name, facts.labels[name]]));
  fill($("size"), SIZES.map((size) => [size, String(size)]));
  $("columns").lastElementChild.append(checks("columns", facts.metrics.map((metric) => [metric.name, metric.label])));
  $("omitted").textContent = facts.omitted.map((each) => `${each.label} is left out: ${each.why}.`).join(" ");
  $("grain").textContent = cube.grain === "day" ? "" : `Days are summed by ${cube.grain} in this page: dates are widened to whole ${cube.grain}s.`;
  $("grain").hidden = cube.grain === "day";
};
// The dictionary always has a place for what has no value; it is offered only where something is in it.
const presentValues = (name, values) => {
  const used = name === "campaign" ? cube.sections.some(({ campaign }) => campaign.includes(values.length - 1))
    : ofThings(name) ? cube.things[name].codes.includes(values.length - 1) : true;
  return [...forPeople(values.slice(0, -1)), ...(used ? [null] : [])];
};
// Lists are in the order in which people look for a name: without regard to case, 9 before 10.
const forPeople = (names) => [...names].sort(new Intl.Collator("en", { numeric: true }).compare);
const checks = (name, pairs) => {
  const set = make("fieldset", {}, make("legend", { class: "sr" }, name === "columns" ? "Columns" : facts.labels[name]));
  for (const [value, words] of pairs) {
    const box = make("input", { type: "checkbox", value, name });
    set.append(make("label", { class: "check" }, box, make("span", {}, words)));
  }
  return set;
};
const listOf = (name, values) => {
  const set = checks(name, values.map((value) => [value ?? UNASSIGNED, plain(value)]));
  const count = make("span", { class: "count" });
  const pick = make("details", { class: "pick" }, make("summary", {}, make("span", {}, facts.labels[name]), count));
  pick.dataset.name = name;
  if (values.length > 9) {
    const find = make("input", { type: "search", placeholder: "Find", class: "find" });
    find.setAttribute("aria-label", `Find in ${facts.labels[name]}`);
    find.addEventListener("input", (event) => {
      event.stopPropagation();
      const sought = find.value.trim().toLowerCase();
      for (const row of set.querySelectorAll(".check")) row.hidden = !row.textContent.toLowerCase().includes(sought);
    });
    pick.append(find);
  }
  pick.append(set);
  return pick;
};

// Puts the state into the controls; the reader's own change is already there and is not touched.
const showControls = () => {
  for (const id of ["from", "to", "search", "by", "compare"]) if ($(id).value !== state[id]) $(id).value = state[id];
  for (const id of NUMBERS) if (amount($(id).value) !== state[id]) $(id).value = state[id] ?? "";
  $("size").value = String(state.size);
  const period = state.from || state.to ? `${state.from}..${state.to}` : "";
  $("period").value = period;
  if ($("period").selectedIndex < 0) $("period").value = "own";
  const columns = columnsShown();
  for (const box of document.querySelectorAll("#form input[type=checkbox]")) {
    box.checked = state.values[box.name].includes(box.value);
  }
  for (const box of $("columns").querySelectorAll("input")) box.checked = columns.includes(box.value);
  let active = [state.search, state.from || state.to].filter(Boolean).length + NUMBERS.filter((name) => state[name] !== null).length;
  for (const chosen of Object.values(state.values)) active += chosen.length ? 1 : 0;
  for (const pick of document.querySelectorAll("#form .pick[data-name]")) {
    const chosen = state.values[pick.dataset.name];
    pick.querySelector(".count").textContent = chosen.length ? `${chosen.length} chosen` : "all";
    pick.classList.toggle("on", chosen.length > 0);
  }
  $("active").textContent = active ? `${active} in use` : "";
};

const listen = () => {
  const form = $("form");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    const { values, from, to, search, minRoas, minPrice, maxPrice, compare } = fresh();
    set({ values, from, to, search, minRoas, minPrice, maxPrice, compare, page: 0 });
  });
  form.addEventListener("input", ({ target }) => {
    if (target.type === "checkbox") {
      const chosen = state.values[target.name].filter((value) => value !== target.value);
      if (target.checked) chosen.push(target.value);
      choose(target.name, chosen);
    } else if (target.id === "period") {
      const [from, to] = target.value.includes("..") ? target.value.split("..") : ["", ""];
      if (target.value !== "own") set({ from, to, page: 0 });
    } else if (target.id === "from" || target.id === "to") {
      if (target.value === "" || isDay(target.value)) set({ [target.id]: target.value, page: 0 });
    } else if (NUMBERS.includes(target.id)) set({ [target.id]: amount(target.value), page: 0 });
    else if (target.id) set({ [target.id]: target.value, page: 0 });
  });
  $("by").addEventListener("input", () => set({ by: $("by").value, sort: "", down: true, columns: null, page: 0 }));
  $("size").addEventListener("input", () => set({ size: Number($("size").value), page: 0 }));
  $("columns").addEventListener("input", () => {
    const names = [...$("columns").querySelectorAll("input:checked")].map((box) => box.value);
    set({ columns: names.length ? names : null });
  });
  $("before").addEventListener("click", () => set({ page: state.page - 1 }));
  $("after").addEventListener("click", () => set({ page: state.page + 1 }));
  $("csv").addEventListener("click", () => save(`${state.by}.csv`, new Blob([csvOf()], { type: "text/csv" })));
  $("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText($("command").textContent);
      announce("Copied.");
    } catch {
      getSelection().selectAllChildren($("command"));
      announce("The command is selected: copy it with the keyboard.");
    }
  });
  $("all").addEventListener("toggle", () => showAll());
  document.querySelector(".hk-skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("results").focus();
  });
  addEventListener("hashchange", ({ newURL }) => {
    // The address may hold the state before again: what remembers it runs a moment later than the page draws.
    state = fromHash(new URL(newURL).hash);
    last = { chosen: false, typed: "" };
    update();
  });
  // The width decides how charts are drawn.
  let width = innerWidth;
  addEventListener("resize", later(120, () => {
    if (width === innerWidth) return;
    width = innerWidth;
    rooms = null;
    showCharts();
  }));
  document.addEventListener("click", ({ target }) => {
    for (const pick of document.querySelectorAll(".tools details[open]")) if (!pick.contains(target)) pick.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const pick = event.key === "Escape" && event.target.closest?.("details.pick[open]");
    if (!pick) return;
    pick.open = false;
    pick.querySelector("summary").focus();
  });
};

const set = (changes) => {
  Object.assign(state, { absent: [] }, changes);
  last.chosen = true;
  update();
};
const choose = (name, chosen) => set({ values: { ...state.values, [name]: chosen }, page: 0 });
const toggle = (name, value) => {
  const chosen = state.values[name];
  choose(name, chosen.includes(value) ? chosen.filter((each) => each !== value) : [...chosen, value]);
};

