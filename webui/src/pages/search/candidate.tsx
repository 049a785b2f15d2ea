// candidate: one architecture of a search, beside the page: how it scored, what it is made of, its weights to take away.
import { api, download } from "../../api/client";
import type { Candidate, Plan, Search } from "../../api/types";
import { bytes, count, dateTime, fixed, percent, si } from "../../format";
import { Button, Copy, Dialog, Failure, Loading, Pending } from "../../parts/basics";
import { Opinions } from "../../parts/opinions";
import { candidateUrl } from "../../router";
import { useAction, useResource } from "../../state/use";

export function Facts({ c, search }: { c: Candidate; search: number }) {
  const rows: [string, preact.ComponentChildren][] = [
    ["Accuracy", c.accuracy != null ? <strong>{percent(c.accuracy)}</strong> : c.status === "queued" ? "not scored in this search" : c.status],
    ["95 % interval", c.ci ? `${percent(c.ci[0])} to ${percent(c.ci[1])}` : "–"],
    ["Correct", c.n_images ? `${count(c.n_correct)} of ${count(c.n_images)} images` : "–"],
    ["Top-5", c.accuracy5 != null ? percent(c.accuracy5) : "–"],
    ["Mean loss", fixed(c.loss, 4)],
    ["Rank", c.rank ?? "–"],
    ["Known accuracy", c.truth != null ? percent(c.truth > 1 ? c.truth / 100 : c.truth) : undefined],
    ["MACs", si(c.macs)],
    ["Parameters", si(c.params)],
    ["Class", c.class && (
      <a href={`/searches/${search}?class=${c.class}`} title="Show all of this class">
        <code>{c.class.slice(0, 16)}</code>
      </a>
    )],
    ["Generation", c.generation],
    ["Scored", c.scored_at ? <>{dateTime(c.scored_at)} by {c.worker ? <a href={`/workers/${c.worker}`}>worker {c.worker}</a> : "an unknown worker"}</> : "–"],
    ["Second opinions", c.replicas ? <Opinions of={c} /> : undefined],
    ["Backend", c.backend && `${c.backend}${c.build ? `, build ${c.build}` : ""}`],
    ["Statistics digest", c.stats_digest && <code>{c.stats_digest}</code>],
  ];
  return (
    <dl class="facts">
      {rows
        .filter(([, value]) => value !== undefined && value !== null && value !== "")
        .map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
    </dl>
  );
}

function Network({ plan }: { plan: Plan }) {
  const most = Math.max(1, ...plan.ops.map((o) => o.macs ?? 0));
  const active = Object.entries(plan.active ?? {});
  return (
    <>
      {active.length > 0 && (
        <>
          <h3>Choices</h3>
          <dl class="choices">
            {active.map(([decision, option]) => (
              <div>
                <dt>{decision}</dt>
                <dd>{String(option)}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
      <h3>
        {plan.ops.length} operations{plan.activation_bytes ? <span class="muted">, activations {bytes(plan.activation_bytes)} an image</span> : ""}
      </h3>
      <div class="twin tall" tabIndex={0}>
        <table class="plain ops">
          <thead>
            <tr>
              <th scope="col">Operation</th>
              <th scope="col">Where</th>
              <th scope="col" class="num">
                Output
              </th>
              <th scope="col" class="num">
                MACs
              </th>
              <th scope="col" class="num">
                Params
              </th>
            </tr>
          </thead>
          <tbody>
            {plan.ops.map((o) => (
              <tr>
                <td>{o.op}</td>
                <td>
                  <code>{o.path ?? ""}</code>
                </td>
                <td class="num">{o.out.join(" × ")}</td>
                <td class="num share">
                  <span class="share-bar" style={{ width: `${(100 * (o.macs ?? 0)) / most}%` }} />
                  <span>{o.macs ? si(o.macs) : "–"}</span>
                </td>
                <td class="num">{o.params ? si(o.params) : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

// Its files.
export function Takeaway({ search, candidate }: { search: Search; candidate: Candidate }) {
  const name = `search-${search.id}-${candidate.code.slice(0, 40).replace(/[^\w.-]+/g, "_")}`;
  const base = candidateUrl(search.id, candidate.code); // the interface names it as the page does
  const weights = useAction(() => download(`${base}/weights.safetensors`, `${name}.safetensors`));
  const json = useAction(() => download(base, `${name}.json`));
  const failed = weights.error ?? json.error;
  return (
    <div class="actions">
      <Button small busy={weights.busy} onClick={() => void weights.run()} disabled={candidate.status !== "scored"}>
        {weights.busy ? "A worker prepares the weights …" : "Weights (.safetensors)"}
      </Button>
      <Button small busy={json.busy} onClick={() => void json.run()}>
        JSON
      </Button>
      {failed && <Failure problem={failed} />}
    </div>
  );
}

export function CandidatePanel({ search, code, onClose }: { search: Search; code: string; onClose: () => void }) {
  const candidate = useResource(`candidate/${search.id}/${code}`, (s) => api.candidate(search.id, code, s));
  const plan = useResource(`plan/${search.space}/${code}`, () => api.plan(search.space, code));
  return (
    <Dialog side title="Architecture" onClose={onClose}>
      <div class="code-line">
        <code class="code-full">{code}</code>
        <Copy text={code} />
      </div>
      {candidate.value ? (
        <Facts c={candidate.value} search={search.id} />
      ) : (
        <Pending what="its scores" error={candidate.error} reload={candidate.reload} />
      )}
      <div class="actions">
        <a class="button plain small" href={candidateUrl(search.id, code)}>
          Open its page
        </a>
        {candidate.value && <Takeaway search={search} candidate={candidate.value} />}
      </div>
      {plan.value ? <Network plan={plan.value} /> : plan.error ? <Failure problem={plan.error} what="Its plan" /> : <Loading what="its plan" />}
    </Dialog>
  );
}
