// How numbers, dates and names become text: the rules of hkreport/units.py and hkreport/tables.py.

const LAKH = 1e5;
const CRORE = 1e7;
const WHOLE_CRORE_FROM = 1e4;
const LAKH_CRORE_FROM = 1e5;
const DAY = 86400000;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

// Digits with a half rounded to even, as Python rounds; toFixed rounds an exact half up.
const fixed = (size, places) => {
  const halves = size * 2 ** (places + 1);
  const odd = halves * 5 ** places;
  if (Number.isInteger(halves) && odd % 2 === 1) {
    const below = (odd - 1) / 2;
    return ((below + (below % 2)) / 10 ** places).toFixed(places);
  }
  return size.toFixed(places);
};

const grouped = (size, places) => {
  const [whole, rest] = fixed(size, places).split(".");
  const last = whole.slice(-3);
  const before = whole.slice(0, -3).replace(/\B(?=(\d\d)+$)/g, ",");
  return (before ? `${before},${last}` : last) + (rest ? `.${rest}` : "");
};

const significant = (size) => {
  if (size >= 100) return grouped(size, 0);
  if (size >= 1.995 || size === 0) return fixed(size, 1);
  if (size >= 0.0005) return fixed(size, size >= 0.095 ? 2 : 3);
  return size < 5e-7 ? "0.0" : fixed(size, Math.ceil(-Math.log10(size)));
};

const crores = (size) => {
  if (size >= LAKH_CRORE_FROM - 0.5) return [grouped(size / LAKH_CRORE_FROM, 2), " L Cr"];
  return [grouped(size, size < WHOLE_CRORE_FROM - 0.005 ? 2 : 0), " Cr"];
};

const digits = (size, unit, short) => {
  if (unit === "multiple") return [significant(size), "×"];
  if (unit === "percent") {
    const share = size * 100;
    return [grouped(share, share >= 100 ? 0 : share >= 1 || share === 0 ? 1 : 2), "%"];
  }
  if (short && (unit === "money" || unit === "count")) {
    if (size >= CRORE * (1 - 5e-10) || size / LAKH >= 99.995) return crores(size / CRORE);
    if (size >= LAKH) return [grouped(size / LAKH, 2), " L"];
  }
  if (unit === "money") return [grouped(size, size >= 100 || size === 0 ? 0 : 2), ""];
  if (unit === "score") return [grouped(size, 0), ""];
  return [grouped(size, size === Math.round(size) || size >= 100 ? 0 : 1), ""];
};

const text = (value, unit, short = false, reason = "") => {
  if (Number.isNaN(value)) return reason ? `n/a (${reason})` : "n/a";
  const [body, tail] = digits(Math.abs(value), unit, short);
  const sign = value < 0 && /[1-9]/.test(body) ? "−" : "";
  return `${sign}${unit === "money" ? "₹" : ""}${body}${tail}`;
};

const signed = (value, unit) => {
  const plain = text(value, unit, true);
  return Number.isNaN(value) || plain.startsWith("−") || !/[1-9]/.test(plain) ? plain : `+${plain}`;
};

const tick = (value, unit) => {
  let size = Math.abs(value);
  let tail = "";
  if (unit === "percent") [size, tail] = [size * 100, "%"];
  else if (unit === "multiple") tail = "×";
  else if (size >= LAKH_CRORE_FROM * CRORE) [size, tail] = [size / (LAKH_CRORE_FROM * CRORE), " L Cr"];
  else if (size >= LAKH) [size, tail] = size >= CRORE ? [size / CRORE, " Cr"] : [size / LAKH, " L"];
  let body = grouped(size, 4);
  if (body.includes(".")) body = body.replace(/0+$/, "").replace(/\.$/, "");
  return `${value < 0 && body !== "0" ? "−" : ""}${unit === "money" ? "₹" : ""}${body}${tail}`;
};

// The change on another value, as hkreport.tables.Tile words it.
const change = (now, before, unit, on) => {
  if (Number.isNaN(now) || Number.isNaN(before)) return { words: "", trend: "" };
  const trend = now > before ? "up" : "down";
  if (text(now, unit, true) === text(before, unit, true)) return { words: `as in ${on}`, trend: "flat" };
  if (unit === "percent") return { words: `${difference(now - before)} on ${on}`, trend };
  if (unit !== "money" && unit !== "count") return { words: `${signed(now - before, unit)} on ${on}`, trend };
  if (before <= 0) return { words: `${text(before, unit, true)} in ${on}`, trend };
  if (now / before >= 10) return { words: `${text(now / before, "count")} times ${on}`, trend };
  return { words: `${signed(now / before - 1, "percent")} on ${on}`, trend };
};
const difference = (share) => signed(share, "percent").replace("%", " points");

// Characters that steer text or cannot be seen are shown as a mark.
const visible = (words) =>
  String(words).replace(
    // eslint-disable-next-line no-control-regex, no-misleading-character-class
    /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]/gu, "\ufffd");
const oneLine = (words) => visible(words).replace(/\s+/g, " ").trim();

// A cell of a CSV, byte for byte as hkreport.tables.csv_text writes it.
const FORMULA =
  /^[\t\n\v\f\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*[=+\-@＝＋－＠]|^[\t\r\n]/;
const csvText = (words) => {
  const plain = (FORMULA.test(words) ? "'" : "") + oneLine(words);
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
};
const csvNumber = (value) => {
  if (Number.isNaN(value)) return "";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return String(value === 0 ? 0 : value);
  const [mantissa, power] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const plain = String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
};

// Days are numbers since 1970, as the cube counts them.
const iso = (day) => new Date(day * DAY).toISOString().slice(0, 10);
const dayOf = (words) => Date.parse(`${words}T00:00:00Z`) / DAY;
const inWords = (day) => {
  const date = new Date(day * DAY);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
};
const monday = (day) => day - ((((day + 3) % 7) + 7) % 7);
const firstOf = (year, month) => Date.UTC(year, month, 1) / DAY;

// First day of the step that a day falls in, and first day of the next step.
const stepStart = (day, step) => {
  if (step === "day") return day;
  if (step === "week") return monday(day);
  const date = new Date(day * DAY);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return firstOf(year, step === "month" ? month : step === "quarter" ? month - (month % 3) : 0);
};
const stepEnd = (day, step) => {
  const start = stepStart(day, step);
  if (step === "day") return start + 1;
  if (step === "week") return start + 7;
  const date = new Date(start * DAY);
  return firstOf(date.getUTCFullYear(), date.getUTCMonth() + { month: 1, quarter: 3, year: 12 }[step]);
};
const stepName = (day, step) => {
  const words = iso(stepStart(day, step));
  if (step === "month") return words.slice(0, 7);
  if (step === "quarter") return `${words.slice(0, 4)}-Q${Math.floor((Number(words.slice(5, 7)) + 2) / 3)}`;
  return step === "year" ? words.slice(0, 4) : words;
};

const plural = (count, one, many = `${one}s`) => `${grouped(count, 0)} ${count === 1 ? one : many}`;
