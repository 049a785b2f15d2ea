// candidate: the page of one architecture: drawn as a network, its scores in every search over the same space, what one
// change does, its files to take away; and beside another one, when the address names it (?with=code).
import { useState } from "preact/hooks";
import { api, Problem } from "../api/client";
import type { Candidate, Neighbours, Plan, Search, Space } from "../api/types";
import { Network, placesOf, placesTwin } from "../charts/network";
import { count, fixed, percent, si } from "../format";
import { Button, Copy, Empty, Failure, Loading, Pending } from "../parts/basics";
import { Figure } from "../parts/figure";
import { axisOf, Interval } from "../parts/interval";
import { policyWords, scoredOn } from "../parts/words";
import { candidateUrl, route, setQuery } from "../router";
import { useResource } from "../state/use";
import { Facts, Takeaway } from "./search/candidate";

interface Loaded {
  candidate: Candidate;
  plan: Plan;
}

// The other one of a comparison may be any architecture of the space, scored here or not.
async function load(search: Search, code: string, s: AbortSignal, mustBeHere: boolean): Promise<Loaded> {
  const [candidate, plan] = await Promise.all([
    api.candidate(search.id, code, s).catch((error) => {
      if (mustBeHere || !(error instanceof Problem) || error.status !== 404) throw error;
      return null;
    }),
    api.plan(search.space, code),
  ]);
  return { candidate: candidate ?? { code, status: "queued", class: plan.class, macs: plan.macs, params: plan.params }, plan };
}

function Drawing(props: { space: Space; plan: Plan; title: string; differs?: Set<string> }) {
  const places = placesOf(props.space, props.plan);
  return (
    <Figure title={props.title} name={`architecture-${props.plan.code.slice(0, 40).replace(/[^\w.-]+/g, "_")}`} twin={() => placesTwin(places)}>
      <Network places={places} differs={props.differs} />
    </Figure>
  );
}

// Its score in every search over this space. A search that never met it answers 404, which is no error here.
function Everywhere({ search, code }: { search: Search; code: string }) {
  const found = useResource(`everywhere/${search.space}/${code}`, async (s) => {
    const all = (await api.searches(s)).filter((x) => x.space === search.space).slice(0, 60);
    const rows = await Promise.all(
      all.map(async (x) => {
        try {
          return { search: x, candidate: await api.candidate(x.id, code, s) };
        } catch (error) {
          if (error instanceof Problem && error.status === 404) return null;
          throw error;
        }
      }),
    );
    return rows.filter((r) => r !== null);
  });
  const rows = found.value;
  const axis = axisOf((rows ?? []).flatMap((r) => r.candidate.ci ?? []));
  return (
    <section class="panel" aria-labelledby="everywhere">
      <h2 id="everywhere">Its scores in all searches over this space</h2>
      {!rows && <Pending what="the other searches" error={found.error} reload={found.reload} />}
      {rows && (
        <div class="chart-scroll" tabIndex={0} role="region" aria-label="Scores in all searches">
          <table class="list cards-narrow">
            <thead>
              <tr>
                <th scope="col">Search</th>
                <th scope="col">Calibration</th>
                <th scope="col" class="num">
                  Accuracy
                </th>
                <th scope="col">{`${percent(axis.lo, 0)} to ${percent(axis.hi, 0)}`}</th>
                <th scope="col" class="num">
                  Loss
                </th>
                <th scope="col">Scored by</th>
                <th scope="col">Statistics digest</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ search: x, candidate: c }) => (
                <tr key={x.id}>
                  <td data-label="Search">{x.id === search.id ? <strong>{x.name}</strong> : <a href={candidateUrl(x.id, code)}>{x.name}</a>}</td>
                  <td data-label="Calibration">{`${policyWords(x)}; scored on ${scoredOn(x)}`}</td>
                  <td data-label="Accuracy" class="num">
                    {c.accuracy != null ? percent(c.accuracy) : c.status}
                  </td>
                  <td data-label="95 % interval">{c.accuracy != null && <Interval value={c.accuracy} ci={c.ci} axis={axis} />}</td>
                  <td data-label="Loss" class="num">
                    {fixed(c.loss)}
                  </td>
                  <td data-label="Scored by">{c.worker ? <a href={`/workers/${c.worker}`}>worker {c.worker}</a> : "–"}</td>
                  <td data-label="Digest">{c.stats_digest ? <code title={c.stats_digest}>{c.stats_digest.slice(0, 12)}</code> : "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function NeighbourTable({ search, of, found }: { search: Search; of: Candidate; found: Neighbours }) {
  return (
    <div class="twin tall" tabIndex={0} role="region" aria-label="Neighbours by one change">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Decision</th>
            <th scope="col">Change</th>
            <th scope="col" class="num">
              Accuracy
            </th>
            <th scope="col" class="num">
              Difference
            </th>
            <th scope="col" class="num">
              MACs
            </th>
            <th scope="col">Architecture</th>
            <th scope="col">
              <span class="sr">Compare</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {found.items.map((n) => {
            const difference = n.candidate.accuracy != null && of.accuracy != null ? n.candidate.accuracy - of.accuracy : null;
            return (
              <tr key={n.candidate.code}>
                <td>{n.decision}</td>
                <td>
                  {n.from ?? "no effect"} → {n.to ?? "no effect"}
                </td>
                <td class="num">{percent(n.candidate.accuracy)}</td>
                <td class="num">{difference == null ? "–" : `${difference > 0 ? "+" : difference < 0 ? "−" : "±"}${percent(Math.abs(difference))}`}</td>
                <td class="num">{si(n.candidate.macs)}</td>
                <td>
                  <a href={candidateUrl(search.id, n.candidate.code)}>
                    <code>{n.candidate.code}</code>
                  </a>
                </td>
                <td>
                  <Button small kind="quiet" onClick={() => setQuery({ with: n.candidate.code }, true)} aria-label={`Compare with ${n.candidate.code}`}>
                    Compare
                  </Button>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function NeighbourPanel({ search, of }: { search: Search; of: Candidate }) {
  const found = useResource(`neighbours/${search.id}/${of.code}`, (s) => api.neighbours(search.id, of.code, s));
  const value = found.value;
  return (
    <section class="panel" aria-labelledby="neighbours">
      <h2 id="neighbours">One change away</h2>
      {!value && <Pending what="its neighbours" error={found.error} reload={found.reload} />}
      {value?.items.length === 0 && <Empty title="No architecture of this search differs from it in one decision only" />}
      {value && value.items.length > 0 && (
        <>
          <NeighbourTable search={search} of={of} found={value} />
          {value.total > value.items.length && <p class="note">The best {count(value.items.length)} of {count(value.total)}.</p>}
        </>
      )}
    </section>
  );
}

function differing(a: Plan, b: Plan): Set<string> {
  const x = (a.active ?? {}) as Record<string, string>;
  const y = (b.active ?? {}) as Record<string, string>;
  return new Set([...Object.keys(x), ...Object.keys(y)].filter((k) => x[k] !== y[k]));
}

function Beside({ search, space, mine, other }: { search: Search; space: Space; mine: Loaded; other: string }) {
  const loaded = useResource(`beside/${search.id}/${other}`, (s) => load(search, other, s, false));
  const theirs = loaded.value;
  if (!theirs) return loaded.error ? <Failure problem={loaded.error} what="The other architecture" /> : <Loading what="the other architecture" />;
  const differs = differing(mine.plan, theirs.plan);
  return (
    <>
      <p class="lead">
        {differs.size === 0 ? "Both choose the same everywhere." : `They differ in ${differs.size === 1 ? "one decision" : `${differs.size} decisions`}: ${[...differs].join(", ")}.`}
      </p>
      <div class="charts">
        {[mine, theirs].map((x) => (
          <section class="panel" aria-label={`Facts of ${x.candidate.code}`}>
            <h2>
              <code>{x.candidate.code}</code>
            </h2>
            <Facts c={x.candidate} search={search.id} />
          </section>
        ))}
      </div>
      <div class="charts">
        <Drawing space={space} plan={mine.plan} title={mine.plan.code} differs={differs} />
        <Drawing space={space} plan={theirs.plan} title={theirs.plan.code} differs={differs} />
      </div>
    </>
  );
}

function CompareForm({ code }: { code: string }) {
  const [other, setOther] = useState("");
  return (
    <form class="compare-form" onSubmit={(e) => (e.preventDefault(), other.trim() && setQuery({ with: other.trim() }, true))}>
      <input type="text" class="mono" placeholder="Another code" aria-label="Code of another architecture to compare with" value={other} onInput={(e) => setOther(e.currentTarget.value)} />
      <Button small type="submit" disabled={!other.trim() || other.trim() === code}>
        Compare
      </Button>
    </form>
  );
}

export function CandidatePage({ id, code }: { id: number; code: string }) {
  const page = useResource(`candidate-page/${id}/${code}`, async (s) => {
    const search = await api.search(id, s);
    const [space, loaded] = await Promise.all([api.space(search.space, s), load(search, code, s, true)]);
    return { search, space, loaded };
  });
  const other = route.value.query.get("with");
  if (!page.value) return <Pending what="the architecture" error={page.error} reload={page.reload} />;
  const { search, space, loaded } = page.value;
  return (
    <>
      <div class="page-head">
        <div class="title">
          <p class="crumb">
            <a href="/searches">Searches</a> › <a href={`/searches/${id}`}>{search.name}</a>
          </p>
          <h1 class="code-title">
            <code>{loaded.candidate.code}</code> <Copy text={loaded.candidate.code} />
          </h1>
        </div>
        <span class="grow" />
        {other ? (
          <Button small onClick={() => setQuery({ with: null })}>
            End the comparison
          </Button>
        ) : (
          <CompareForm code={code} />
        )}
        <Takeaway search={search} candidate={loaded.candidate} />
      </div>
      {other ? (
        <Beside search={search} space={space} mine={loaded} other={other} />
      ) : (
        <>
          <div class="candidate-top">
            <section class="panel" aria-label="Facts">
              <Facts c={loaded.candidate} search={id} />
            </section>
            <Drawing space={space} plan={loaded.plan} title="The network" />
          </div>
          <Everywhere search={search} code={code} />
          <NeighbourPanel search={search} of={loaded.candidate} />
        </>
      )}
    </>
  );
}
