// model: the form as the user types it (texts), and its translation to the document that the coordinator takes. What is
// wrong is left to the coordinator wherever it can say it better; only what cannot be sent at all is refused here.
import type { Search, SearchCreate } from "../../api/types";
import { parseSi, si } from "../../format";

export type StrategyName = "evolution" | "nsga2" | "regularized" | "random" | "exhaustive" | "list";
export type Average = "ema" | "cumulative" | "last" | "batch" | "none";

// The settings of each strategy, in the order the form shows them. An empty text leaves the choice to the coordinator.
export interface Setting {
  name: string;
  label: string;
  start: string;
  hint?: string;
  choices?: string[];
}

export const settings: Record<StrategyName, Setting[]> = {
  evolution: [
    { name: "population", label: "Population", start: "50" },
    { name: "generations", label: "Generations", start: "20" },
    { name: "parents", label: "Parents kept", start: "10" },
    { name: "mutations", label: "Mutations", start: "25", hint: "children of each generation" },
    { name: "crossovers", label: "Crossovers", start: "25", hint: "children of each generation" },
    { name: "mutation_probability", label: "Mutation probability", start: "0.1", hint: "for each decision" },
  ],
  nsga2: [
    { name: "population", label: "Population", start: "50" },
    { name: "generations", label: "Generations", start: "20" },
    { name: "objective", label: "Second objective", start: "macs", choices: ["macs", "params"] },
    { name: "crossover_probability", label: "Crossover probability", start: "0.9" },
    { name: "mutation_probability", label: "Mutation probability", start: "", hint: "for each decision; empty: one over the decisions" },
  ],
  regularized: [
    { name: "population", label: "Population", start: "100", hint: "the oldest dies when a child is born" },
    { name: "sample", label: "Sample", start: "25", hint: "the best of so many is the parent" },
    { name: "count", label: "Architectures", start: "1000" },
    { name: "lag", label: "Lag", start: "20", hint: "children proposed before the latest scores are known" },
  ],
  random: [{ name: "count", label: "Architectures", start: "200" }],
  exhaustive: [{ name: "limit", label: "At most", start: "", hint: "empty: all of them" }],
  list: [],
};

export function settingKey(strategy: StrategyName, name: string): string {
  return `${strategy}/${name}`;
}

function eachSetting(): [StrategyName, Setting][] {
  return (Object.keys(settings) as StrategyName[]).flatMap((s) => settings[s].map((one): [StrategyName, Setting] => [s, one]));
}

export interface Form {
  name: string;
  checkpoint: string;
  dataset: string;
  strategy: StrategyName;
  settings: Record<string, string>; // by settingKey
  codes: string;
  macs_min: string;
  macs_max: string;
  params_min: string;
  params_max: string;
  average: Average;
  reset: boolean;
  momentum: string;
  variance: "unbiased" | "biased";
  batches: string;
  batch_size: string;
  policy_split: string;
  policy_first: string;
  order: "stored" | "shuffled";
  policy_seed: string;
  split: string;
  images: string;
  eval_batch: string;
  eval_first: string;
  seed: string;
  priority: string;
  tags: string;
  notes: string;
}

export const initial: Form = {
  name: "",
  checkpoint: "",
  dataset: "",
  strategy: "evolution",
  settings: Object.fromEntries(eachSetting().map(([s, one]) => [settingKey(s, one.name), one.start])),
  codes: "",
  macs_min: "",
  macs_max: "",
  params_min: "",
  params_max: "",
  average: "cumulative",
  reset: true,
  momentum: "0.1",
  variance: "unbiased",
  batches: "8",
  batch_size: "128",
  policy_split: "train",
  policy_first: "0",
  order: "stored",
  policy_seed: "0",
  split: "val",
  images: "1000",
  eval_batch: "250",
  eval_first: "0",
  seed: "0",
  priority: "1",
  tags: "",
  notes: "",
};

// Where each part of the document is edited: refusals of the coordinator are shown there.
export const pointers = [
  "/name",
  "/checkpoint",
  "/dataset",
  "/strategy",
  "/strategy/codes",
  ...new Set(eachSetting().map(([, one]) => `/strategy/${one.name}`)),
  "/constraints/macs/min",
  "/constraints/macs/max",
  "/constraints/params/min",
  "/constraints/params/max",
  "/policy/momentum",
  "/policy/batches",
  "/policy/batch_size",
  "/policy/split",
  "/policy/first",
  "/policy/seed",
  "/evaluation/split",
  "/evaluation/images",
  "/evaluation/batch_size",
  "/evaluation/first",
  "/seed",
  "/priority",
  "/tags",
  "/notes",
];

// A number, or the text itself: the coordinator then says what is wrong with it.
function number(text: string): number | undefined {
  const t = text.trim();
  if (!t) return undefined;
  const n = Number(t);
  return Number.isFinite(n) ? n : (t as unknown as number);
}

function range(min: string, max: string): { min?: number; max?: number } | undefined {
  const lo = parseSi(min);
  const hi = parseSi(max);
  if (lo === undefined && hi === undefined) return undefined;
  return { ...(lo !== undefined && { min: lo }), ...(hi !== undefined && { max: hi }) };
}

function strategyOf(f: Form): SearchCreate["strategy"] {
  if (f.strategy === "list") return { name: "list", codes: f.codes.split(/\r?\n/).map((c) => c.trim()).filter(Boolean) };
  const given: Record<string, unknown> = {};
  for (const one of settings[f.strategy]) {
    const value = f.settings[settingKey(f.strategy, one.name)];
    if (value.trim()) given[one.name] = one.choices ? value : number(value);
  }
  return { name: f.strategy, ...given };
}

function policyOf(f: Form): Record<string, unknown> {
  if (f.average === "none" || f.average === "batch") return { average: f.average };
  return {
    average: f.average,
    reset: f.reset,
    ...(f.average === "ema" && { momentum: number(f.momentum) }),
    variance: f.variance,
    batches: number(f.batches),
    batch_size: number(f.batch_size),
    split: f.policy_split,
    first: number(f.policy_first),
    order: f.order,
    ...(f.order === "shuffled" && { seed: number(f.policy_seed) }),
  };
}

export function documentOf(f: Form): SearchCreate {
  const macs = range(f.macs_min, f.macs_max);
  const params = range(f.params_min, f.params_max);
  const tags = f.tags.split(",").map((t) => t.trim()).filter(Boolean);
  return {
    name: f.name.trim(),
    checkpoint: Number(f.checkpoint),
    dataset: Number(f.dataset),
    strategy: strategyOf(f),
    ...((macs || params) && { constraints: { ...(macs && { macs }), ...(params && { params }) } }),
    policy: policyOf(f),
    evaluation: { split: f.split, images: number(f.images), batch_size: number(f.eval_batch), first: number(f.eval_first) },
    seed: number(f.seed),
    priority: number(f.priority),
    ...(tags.length && { tags }),
    ...(f.notes && { notes: f.notes }),
  };
}

function text(value: unknown, otherwise: string): string {
  return value === undefined || value === null ? otherwise : String(value);
}

// The form that would make an existing search again.
export function formOf(s: Search): Form {
  const strategy: Record<string, unknown> = s.strategy;
  const name = s.strategy.name as StrategyName;
  const policy: Record<string, unknown> = s.policy ?? {};
  const own = <K extends keyof Form>(names: K[], from: Record<string, unknown>) =>
    Object.fromEntries(names.map((n) => [n, text(from[n], String(initial[n]))]));
  const limit = (v: number | undefined) => (v == null ? "" : v % 1000 === 0 ? si(v).replace(" ", "") : String(v));
  return {
    ...initial,
    ...own(["momentum", "batches", "batch_size"], policy),
    name: `${s.name} (again)`,
    checkpoint: String(s.checkpoint),
    dataset: String(s.dataset),
    strategy: name,
    settings: {
      ...initial.settings,
      ...Object.fromEntries((settings[name] ?? []).map((one) => [settingKey(name, one.name), text(strategy[one.name], one.start)])),
    },
    codes: Array.isArray(strategy.codes) ? strategy.codes.join("\n") : "",
    macs_min: limit(s.constraints?.macs?.min),
    macs_max: limit(s.constraints?.macs?.max),
    params_min: limit(s.constraints?.params?.min),
    params_max: limit(s.constraints?.params?.max),
    average: (policy.average as Average) ?? initial.average,
    reset: (policy.reset as boolean) ?? true,
    variance: (policy.variance as Form["variance"]) ?? initial.variance,
    policy_split: text(policy.split, initial.policy_split),
    policy_first: text(policy.first, initial.policy_first),
    policy_seed: text(policy.seed, initial.policy_seed),
    order: (policy.order as Form["order"]) ?? initial.order,
    split: text(s.evaluation?.split, initial.split),
    images: text(s.evaluation?.images, initial.images),
    eval_batch: text(s.evaluation?.batch_size, initial.eval_batch),
    eval_first: text(s.evaluation?.first, initial.eval_first),
    seed: text(s.seed, "0"),
    priority: text(s.priority, "1"),
    tags: (s.tags ?? []).join(", "),
    notes: s.notes ?? "",
  } as Form;
}

// How many architectures the search will score at most; undefined when only the space knows.
export function proposals(f: Form): number | undefined {
  const n = (name: string) => Number(f.settings[settingKey(f.strategy, name)]) || 0;
  if (f.strategy === "list") return f.codes.split(/\r?\n/).filter((c) => c.trim()).length;
  if (f.strategy === "evolution" || f.strategy === "nsga2") return n("population") * Math.max(1, n("generations"));
  if (f.strategy === "exhaustive") return n("limit") || undefined;
  return n("count");
}
