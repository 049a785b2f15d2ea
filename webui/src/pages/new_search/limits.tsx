// limits: bounds on the cost of an architecture, and how much of the space they leave: counted by the coordinator, or
// estimated from a sample, while the reader types.
import { api } from "../../api/client";
import type { Dataset, Feasible, SearchCreate, Space } from "../../api/types";
import { architectures, count, parseSi, roughly, share, si } from "../../format";
import { Text } from "../../parts/form";
import { useResource, useSettled } from "../../state/use";
import type { Form } from "./model";

type Constraints = NonNullable<SearchCreate["constraints"]>;

const kinds = [
  { cost: "macs", end: "max", name: "MACs", sign: "≤" },
  { cost: "macs", end: "min", name: "MACs", sign: "≥" },
  { cost: "params", end: "max", name: "parameters", sign: "≤" },
  { cost: "params", end: "min", name: "parameters", sign: "≥" },
] as const;

// Where none fits: each limit that refuses them all, with the cost that comes closest. Only where limits refuse different ones
// the sample says how many could fit: below the least cost there is there may be none.
function None({ constraints, found }: { constraints: Constraints; found: Feasible }) {
  const whole = kinds.filter(({ cost, end }) => constraints[cost]?.[end] !== undefined && found.outside[cost][end] === found.looked_at);
  const all = <span title={found.architectures}>{architectures(found.architectures)} architectures</span>;
  const none = found.exact ? <>None of the {all} fits</> : <>None of {count(found.looked_at)} drawn fits</>;
  if (!whole.length)
    return (
      <>
        {none}
        {!found.exact && `, so no more than ${share(found.ci[1])} of the space should`}. Each limit leaves some, but together they leave none: loosen one.
      </>
    );
  const met = (end: "min" | "max") => (found.exact ? `the ${end === "max" ? "smallest" : "largest"} has` : `the ${end === "max" ? "least" : "most"} seen was`);
  return (
    <>
      {none}. Loosen{" "}
      {whole.map(({ cost, end, name, sign }, i) => (
        <>
          {i > 0 && " and "}
          <strong>
            {name} {sign} {si(constraints[cost]![end])}
          </strong>{" "}
          ({met(end)} {si(found.met[cost][end === "max" ? "min" : "max"])})
        </>
      ))}
      .
    </>
  );
}

function Found({ constraints, found }: { constraints: Constraints; found: Feasible }) {
  const [low, high] = found.ci;
  const of = <span title={found.architectures}>{architectures(found.architectures)} architectures</span>;
  if (!found.feasible) return <p class="feasible none"><None constraints={constraints} found={found} /></p>;
  if (found.exact) {
    return (
      <p class="feasible">
        <strong>{count(found.estimate)}</strong> of {of} fit: {share(found.share)}.
      </p>
    );
  }
  return (
    <p class="feasible">
      About <strong>{roughly(found.estimate)}</strong> of {of} fit: {share(found.share)}{" "}
      <span class="muted nowrap">
        ({share(low)} to {share(high)}, from {count(found.looked_at)} drawn)
      </span>
    </p>
  );
}

function Left({ constraints, space, dataset }: { constraints?: Constraints; space: Space; dataset?: Dataset }) {
  const asked = constraints && JSON.stringify([space.id, dataset?.id, constraints]);
  const settled = useSettled(asked, 300);
  const left = useResource(settled ?? null, (s) => {
    const [id, data, limits] = JSON.parse(settled!);
    return api.feasible(id, { constraints: limits, ...(data && { dataset: data }) }, s);
  });
  if (!constraints) return <p class="feasible muted">Without limits all {architectures(space.architectures)} architectures may be proposed.</p>;
  if (settled === asked && left.error) return <p class="feasible none">{left.error.message}</p>;
  if (settled !== asked || !left.value) return <p class="feasible muted">Counting what these limits leave …</p>;
  return <Found constraints={constraints} found={left.value} />;
}

export function Limits(props: {
  form: Form;
  set: (fields: Partial<Form>) => void;
  constraints?: Constraints;
  space?: Space;
  dataset?: Dataset;
}) {
  const { form, set, constraints, space, dataset } = props;
  const names = ["macs_min", "macs_max", "params_min", "params_max"] as const;
  const wrong = names.some((n) => Number.isNaN(parseSi(form[n])));
  const field = (name: (typeof names)[number], label: string, at: string, example?: number) => (
    <Text
      label={label}
      at={at}
      value={form[name]}
      onChange={(v) => set({ [name]: v })}
      placeholder={example != null ? si(example) : "no limit"}
      error={Number.isNaN(parseSi(form[name])) ? "A number such as 300M or 1.5e6" : undefined}
    />
  );
  return (
    <section class="panel">
      <h2>
        Limits <span class="muted">(optional)</span>
      </h2>
      <div class="form-grid four">
        {field("macs_min", "MACs at least", "/constraints/macs/min", space?.cost?.macs?.min)}
        {field("macs_max", "MACs at most", "/constraints/macs/max", space?.cost?.macs?.max)}
        {field("params_min", "Parameters at least", "/constraints/params/min", space?.cost?.params?.min)}
        {field("params_max", "Parameters at most", "/constraints/params/max", space?.cost?.params?.max)}
      </div>
      <div role="status">{space && !wrong && <Left constraints={constraints} space={space} dataset={dataset} />}</div>
    </section>
  );
}
