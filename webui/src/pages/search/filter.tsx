// filter: what the ranking is narrowed to, in the address. Every limit is the coordinator's work: a million rows are
// filtered there, and the page is told how many are left.
import { useState } from "preact/hooks";
import { parseSi, si } from "../../format";
import { Button } from "../../parts/basics";
import { route, setQuery } from "../../router";

interface Measure {
  label: string;
  example: string;
  parse: (text: string) => number | undefined; // NaN for a text that is no number
  show: (value: number) => string;
}

const plain = (text: string) => (text.trim() ? Number(text.trim().replace(",", ".")) : undefined);
const share = (text: string) => {
  const value = plain(text.replace("%", ""));
  return value === undefined ? undefined : +(value / 100).toPrecision(12);
};
// A number that counts something; the coordinator knows no other.
const whole = (text: string) => (text.trim() ? (/^\d{1,9}$/.test(text.trim()) ? Number(text) : NaN) : undefined);
const cost = { parse: parseSi, show: (v: number) => si(v) };

const measures = {
  accuracy: { label: "Accuracy, %", example: "57.5", parse: share, show: (v: number) => String(+(100 * v).toPrecision(12)) },
  accuracy5: { label: "Top-5 accuracy, %", example: "92", parse: share, show: (v: number) => String(+(100 * v).toPrecision(12)) },
  loss: { label: "Loss", example: "1.2", parse: plain, show: String },
  macs: { label: "MACs", example: "300M", ...cost },
  params: { label: "Parameters", example: "2.5M", ...cost },
  generation: { label: "Generation", example: "3", parse: whole, show: String },
} satisfies Record<string, Measure>;
const worker: Measure = { label: "Worker", example: "1", parse: (t) => whole(t) || (t.trim() ? NaN : undefined), show: String };
type Name = keyof typeof measures;
const names = Object.keys(measures) as Name[];
const ends = ["min", "max"] as const;
type Limit = `${Name}_${(typeof ends)[number]}`;
const limits = names.flatMap((n) => ends.map((e): Limit => `${n}_${e}`));

export const noFilter: Record<string, null> = Object.fromEntries([...limits, "worker", "q", "class", "choices", "status"].map((n) => [n, null]));

export type Filter = Partial<Record<Limit | "worker", number>> & { q?: string; class?: string; choices?: string; status?: "scored" | "failed" };

// What the address asks for; a number that is none is no limit.
export function filterOf(query: URLSearchParams): Filter {
  const filter: Filter = {};
  for (const name of [...limits, "worker"] as const) {
    const value = Number(query.get(name) ?? NaN);
    if (Number.isFinite(value) && (value >= 1 || name !== "worker")) filter[name] = value;
  }
  const status = query.get("status");
  if (status === "scored" || status === "failed") filter.status = status;
  for (const name of ["q", "class", "choices"] as const) {
    const value = query.get(name);
    if (value) filter[name] = value;
  }
  return filter;
}

// One end of a measure; or, without an end, the worker.
function Bound({ name, end }: { name: Name | "worker"; end?: (typeof ends)[number] }) {
  const { label, example, parse, show }: Measure = name === "worker" ? worker : measures[name];
  const limit = end ? `${name}_${end}` : name;
  const given = route.value.query.get(limit);
  const [text, setText] = useState({ given, value: given ? show(Number(given)) : "" });
  if (text.given !== given && (given === null || parse(text.value) !== Number(given)))
    setText({ given, value: given ? show(Number(given)) : "" }); // changed elsewhere: by a brush, a button, the way back
  const wrong = Number.isNaN(parse(text.value));
  return (
    <input
      type="text"
      inputMode="decimal"
      class={wrong ? "invalid" : ""}
      placeholder={end === "min" ? "from" : end ? "to" : "number"}
      aria-label={`${label}${end === "min" ? " at least" : end ? " at most" : ""}, for example ${example}`}
      aria-invalid={wrong}
      value={text.value}
      onInput={(e) => {
        const { value } = e.currentTarget;
        const parsed = parse(value);
        const next = parsed === undefined || Number.isNaN(parsed) ? null : String(parsed);
        setText({ given: next, value });
        setQuery({ [limit]: next });
      }}
    />
  );
}

export function FilterMenu() {
  const { query } = route.value;
  const n = [...limits, "worker", "status"].filter((name) => query.get(name)).length;
  return (
    <details class="menu">
      <summary class="button plain small">{n ? `Filter (${n})` : "Filter"}</summary>
      <div class="menu-body filter-body">
        {names.map((name) => (
          <fieldset>
            <legend>{measures[name].label}</legend>
            <Bound name={name} end="min" />
            <Bound name={name} end="max" />
          </fieldset>
        ))}
        <fieldset>
          <legend>Worker</legend>
          <Bound name="worker" />
        </fieldset>
        <label for="filter-status">State</label>
        <select id="filter-status" value={query.get("status") ?? ""} onChange={(e) => setQuery({ status: e.currentTarget.value })}>
          <option value="">any</option>
          <option value="scored">scored</option>
          <option value="failed">failed</option>
        </select>
        <Button small disabled={!n} onClick={() => setQuery(Object.fromEntries([...limits, "worker", "status"].map((l) => [l, null])))}>
          Clear these
        </Button>
      </div>
    </details>
  );
}
