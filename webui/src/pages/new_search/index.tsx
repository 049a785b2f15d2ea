// new_search: the form that starts a search, filled from the chosen checkpoint and data set, with the curl command that
// does the same. What the coordinator refuses is shown at the field it names.
import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import { api } from "../../api/client";
import type { Checkpoint, Dataset, Space } from "../../api/types";
import { architectures, count, percent, plural, si } from "../../format";
import { Button, CodeBlock, Empty, Failure, Pending } from "../../parts/basics";
import { Cards, Check, Refused, RefusedElsewhere, Select, Text } from "../../parts/form";
import { go, route } from "../../router";
import { maySubmit } from "../../state/session";
import { tell } from "../../state/toast";
import { useAction, useResource } from "../../state/use";
import { curlOf } from "./curl";
import { Limits } from "./limits";
import { type Average, documentOf, type Form, formOf, initial, pointers, proposals, settingKey, settings, type StrategyName } from "./model";

interface Library {
  spaces: Space[];
  checkpoints: Checkpoint[];
  datasets: Dataset[];
}

type Change = (fields: Partial<Form>) => void;
interface Part {
  form: Form;
  set: Change;
}

const strategies: { value: StrategyName; label: string; about: string }[] = [
  { value: "evolution", label: "Evolution", about: "Generations of mutations and crossovers of the best so far" },
  { value: "nsga2", label: "NSGA-II", about: "Evolves a whole front of accuracy against cost" },
  { value: "regularized", label: "Regularized", about: "Evolution by ageing: the oldest die, not the worst" },
  { value: "random", label: "Random", about: "A uniform sample of the space" },
  { value: "exhaustive", label: "Exhaustive", about: "Every architecture, once; for small spaces" },
  { value: "list", label: "List", about: "The codes you give" },
];

const averages: { value: Average; label: string; about: string }[] = [
  { value: "cumulative", label: "Cumulative", about: "Plain average over the batches" },
  { value: "ema", label: "Moving average", about: "Exponential, with a momentum" },
  { value: "last", label: "Last batch", about: "Only the last batch counts" },
  { value: "batch", label: "Batch", about: "No calibration: each scored batch uses its own statistics" },
  { value: "none", label: "Stored", about: "The checkpoint’s own statistics, unchanged" },
];

function Inputs({ form, set, library }: Part & { library: Library }) {
  const spaceName = (id: number) => library.spaces.find((s) => s.id === id)?.name ?? `space ${id}`;
  const checkpoint = library.checkpoints.find((c) => String(c.id) === form.checkpoint);
  const space = library.spaces.find((s) => s.id === checkpoint?.space);
  const dataset = library.datasets.find((d) => String(d.id) === form.dataset);
  return (
    <section class="panel">
      <h2>What to rank</h2>
      <div class="form-grid">
        <Text label="Name" at="/name" wide value={form.name} onChange={(name) => set({ name })} placeholder="how you will find it again" required />
        <Select
          label="Checkpoint"
          at="/checkpoint"
          value={form.checkpoint}
          onChange={(v) => set({ checkpoint: v })}
          options={library.checkpoints.map((c) => ({ value: String(c.id), label: `${c.name} · ${spaceName(c.space)}` }))}
          hint={
            space && (
              <>
                <span title={space.architectures}>{architectures(space.architectures)}</span> architectures,{" "}
                {plural(space.decisions.length, "decision")}
                {space.cost?.macs?.min != null && `, ${si(space.cost.macs.min)} to ${si(space.cost.macs.max)} MACs`}
              </>
            )
          }
        />
        <Select
          label="Data set"
          at="/dataset"
          value={form.dataset}
          onChange={(v) => set({ dataset: v })}
          options={library.datasets.map((d) => ({ value: String(d.id), label: d.name }))}
          hint={
            dataset &&
            `${Object.entries(dataset.splits as Record<string, { images: number }>)
              .map(([name, s]) => `${name} ${count(s.images)}`)
              .join(", ")} images of ${dataset.image.join(" × ")}, ${plural(dataset.classes.length, "class", "classes")}`
          }
        />
      </div>
    </section>
  );
}

function StrategyPart({ form, set }: Part) {
  const change = (name: string) => (v: string) => set({ settings: { ...form.settings, [settingKey(form.strategy, name)]: v } });
  return (
    <section class="panel">
      <h2>How to search</h2>
      <Cards legend="Strategy" value={form.strategy} options={strategies} onChange={(strategy) => set({ strategy })} />
      <div class="form-grid three">
        {settings[form.strategy].map((one) => {
          const common = {
            key: settingKey(form.strategy, one.name),
            label: one.label,
            at: `/strategy/${one.name}`,
            hint: one.hint,
            value: form.settings[settingKey(form.strategy, one.name)],
            onChange: change(one.name),
          };
          if (one.choices) return <Select {...common} options={one.choices.map((c) => ({ value: c, label: c }))} />;
          return <Text {...common} inputMode="decimal" />;
        })}
        {form.strategy === "list" && (
          <Text
            label="Codes"
            at="/strategy/codes"
            wide
            mono
            lines={6}
            value={form.codes}
            onChange={(codes) => set({ codes })}
            hint="one architecture code on each line"
          />
        )}
        {form.strategy !== "exhaustive" && form.strategy !== "list" && (
          <Text label="Seed" at="/seed" value={form.seed} inputMode="numeric" onChange={(seed) => set({ seed })} hint="the same seed proposes the same" />
        )}
      </div>
    </section>
  );
}

function splitOptions(dataset: Dataset | undefined, now: string): { value: string; label: string }[] {
  const splits = (dataset?.splits ?? {}) as Record<string, { images: number }>;
  const names = Object.keys(splits);
  const options = names.map((n) => ({ value: n, label: `${n} (${count(splits[n].images)} images)` }));
  return names.includes(now) ? options : [{ value: now, label: now }, ...options];
}

function PolicyPart({ form, set, dataset }: Part & { dataset?: Dataset }) {
  const calibrates = form.average !== "none" && form.average !== "batch";
  const field = (name: "momentum" | "batches" | "batch_size", label: string) => (
    <Text label={label} at={`/policy/${name}`} value={form[name]} inputMode="decimal" onChange={(v) => set({ [name]: v })} />
  );
  return (
    <section class="panel">
      <h2>Calibration of BatchNorm</h2>
      <Cards legend="Average" value={form.average} options={averages} onChange={(average) => set({ average })} />
      {calibrates && (
        <>
          <div class="form-grid four">
            {field("batches", "Batches")}
            {field("batch_size", "Images in a batch")}
            <Select
              label="Split"
              at="/policy/split"
              value={form.policy_split}
              options={splitOptions(dataset, form.policy_split)}
              onChange={(v) => set({ policy_split: v })}
            />
            <Text label="First image" at="/policy/first" value={form.policy_first} inputMode="numeric" onChange={(v) => set({ policy_first: v })} />
            {form.average === "ema" && field("momentum", "Momentum")}
            <Select
              label="Variance"
              value={form.variance}
              options={[
                { value: "unbiased", label: "unbiased (÷ n − 1)" },
                { value: "biased", label: "biased (÷ n)" },
              ]}
              onChange={(variance) => set({ variance })}
            />
            <Select
              label="Order of images"
              value={form.order}
              options={[
                { value: "stored", label: "as stored" },
                { value: "shuffled", label: "shuffled" },
              ]}
              onChange={(order) => set({ order })}
            />
            {form.order === "shuffled" && (
              <Text label="Seed of the order" at="/policy/seed" value={form.policy_seed} inputMode="numeric" onChange={(v) => set({ policy_seed: v })} />
            )}
          </div>
          <Check label="Reset the stored statistics first" checked={form.reset} onChange={(reset) => set({ reset })} />
        </>
      )}
    </section>
  );
}

function EvaluationPart({ form, set, dataset }: Part & { dataset?: Dataset }) {
  const images = Number(form.images);
  return (
    <section class="panel">
      <h2>Scoring</h2>
      <div class="form-grid four">
        <Select label="Split" at="/evaluation/split" value={form.split} options={splitOptions(dataset, form.split)} onChange={(v) => set({ split: v })} />
        <Text
          label="Images"
          at="/evaluation/images"
          value={form.images}
          inputMode="numeric"
          onChange={(v) => set({ images: v })}
          hint={images > 0 ? `95 % intervals of ± ${percent(0.98 / Math.sqrt(images), 1)} or less` : undefined}
        />
        <Text label="Images in a batch" at="/evaluation/batch_size" value={form.eval_batch} inputMode="numeric" onChange={(v) => set({ eval_batch: v })} />
        <Text label="First image" at="/evaluation/first" value={form.eval_first} inputMode="numeric" onChange={(v) => set({ eval_first: v })} />
      </div>
    </section>
  );
}

function More({ form, set }: Part) {
  return (
    <section class="panel">
      <h2>Notes</h2>
      <div class="form-grid">
        <Text label="Priority" at="/priority" value={form.priority} inputMode="numeric" onChange={(v) => set({ priority: v })} hint="1 to 100; higher gets workers first" />
        <Text label="Tags" at="/tags" value={form.tags} onChange={(v) => set({ tags: v })} hint="separated by commas" />
        <Text label="Notes" at="/notes" wide lines={3} value={form.notes} onChange={(v) => set({ notes: v })} />
      </div>
    </section>
  );
}

function Summary({ form, space }: { form: Form; space?: Space }) {
  const n = proposals(form);
  const images = Number(form.images) || 0;
  const calibration = form.average === "none" || form.average === "batch" ? 0 : (Number(form.batches) || 0) * (Number(form.batch_size) || 0);
  return (
    <dl class="facts">
      <dt>Architectures</dt>
      <dd>{n !== undefined ? `at most ${count(n)}` : `all ${architectures(space?.architectures)} that fit the limits`}</dd>
      <dt>Each</dt>
      <dd>
        {calibration ? `calibrated on ${count(calibration)} and ` : ""}scored on {count(images)} images
      </dd>
    </dl>
  );
}

function Missing({ library }: { library: Library }) {
  const lacks = [
    !library.spaces.length && <a href="/library/spaces">a search space</a>,
    !library.checkpoints.length && <a href="/library/checkpoints">a checkpoint</a>,
    !library.datasets.length && <a href="/library/datasets">a data set</a>,
  ].filter(Boolean);
  return (
    <Empty title="Something to search with is missing">
      <p>First upload:</p>
      <ul>
        {lacks.map((l) => (
          <li>{l}</li>
        ))}
      </ul>
    </Empty>
  );
}

function Filled({ library, start }: { library: Library; start: Form }) {
  const [form, setForm] = useState<Form>(start);
  const set: Change = (fields) => setForm((old) => ({ ...old, ...fields }));
  const checkpoint = library.checkpoints.find((c) => String(c.id) === form.checkpoint);
  const space = library.spaces.find((s) => s.id === checkpoint?.space);
  const dataset = library.datasets.find((d) => String(d.id) === form.dataset);
  useLayoutEffect(() => {
    // A data set has its own split names: keep the chosen ones only while they exist.
    const splits = Object.keys(dataset?.splits ?? {});
    if (!splits.length) return;
    const fix = (now: string, otherwise: string) => (splits.includes(now) ? now : splits.includes(otherwise) ? otherwise : splits[splits.length - 1]);
    set({ policy_split: fix(form.policy_split, "train"), split: fix(form.split, "val") });
  }, [form.dataset]);
  const body = useMemo(() => documentOf(form), [form]);
  const create = useAction(async () => {
    const made = await api.createSearch(body);
    tell(`“${made.name}” has started.`);
    go(`/searches/${made.id}`);
  });
  useLayoutEffect(() => {
    if (create.error) document.querySelector<HTMLElement>(".field.invalid input, .field.invalid select, .field.invalid textarea")?.focus();
  }, [create.error]);
  const part = { form, set };
  return (
    <Refused problem={create.error} fields={pointers}>
      <form class="with-side" onSubmit={(e) => (e.preventDefault(), void create.run())}>
        <div>
          <Inputs {...part} library={library} />
          <StrategyPart {...part} />
          <Limits {...part} constraints={body.constraints} space={space} dataset={dataset} />
          <PolicyPart {...part} dataset={dataset} />
          <EvaluationPart {...part} dataset={dataset} />
          <More {...part} />
        </div>
        <aside class="side-col">
          <div class="panel sticky">
            <h2>Summary</h2>
            <Summary form={form} space={space} />
            <RefusedElsewhere what="The search was refused" />
            <Button kind="primary" type="submit" busy={create.busy} disabled={!form.name.trim()}>
              {create.busy ? "Starting …" : "Start the search"}
            </Button>
            {!form.name.trim() && <p class="hint">Give it a name first.</p>}
            <CodeBlock label="The same by curl" text={curlOf(body)} />
          </div>
        </aside>
      </form>
    </Refused>
  );
}

export function NewSearch() {
  const from = route.value.query.get("from");
  const library = useResource(`library/${from ?? ""}`, async (s) => {
    const [spaces, checkpoints, datasets, old] = await Promise.all([
      api.spaces(s),
      api.checkpoints(s),
      api.datasets(s),
      from ? api.search(Number(from), s) : undefined,
    ]);
    return { spaces, checkpoints, datasets, old };
  });
  const v = library.value;
  const first = (items: { id: number }[]) => (items.length ? String(items[items.length - 1].id) : "");
  return (
    <>
      <div class="page-head">
        <div class="title">
          <p class="crumb">
            <a href="/searches">Searches</a>
          </p>
          <h1>{from ? "New search from an old one" : "New search"}</h1>
        </div>
      </div>
      {!maySubmit.value ? (
        <Empty title="Your token can only read">
          <p>Starting a search needs a token with the role submit or admin.</p>
        </Empty>
      ) : !v ? (
        <Pending what="what can be searched" error={library.error} reload={library.reload} />
      ) : !v.checkpoints.length || !v.datasets.length || !v.spaces.length ? (
        <Missing library={v} />
      ) : (
        <>
          {library.error && <Failure problem={library.error} />}
          <Filled library={v} start={v.old ? formOf(v.old) : { ...initial, checkpoint: first(v.checkpoints), dataset: first(v.datasets) }} />
        </>
      )}
    </>
  );
}
