// decisions: what the choices do. Lines over all decisions, which decisions matter, which options are better, and what
// the best have in common. What is marked in the lines filters the table below.
import { api } from "../../api/client";
import type { DecisionImportance, Search } from "../../api/types";
import { ImportanceBars, OptionMeans } from "../../charts/effects";
import { Heat } from "../../charts/heat";
import { Parallel, brushOf, brushText, passes, type Brush } from "../../charts/parallel";
import { count, percent, plural } from "../../format";
import { Button, Empty, Pending } from "../../parts/basics";
import { Figure } from "../../parts/figure";
import { Segments } from "../../parts/segments";
import { route, setQuery } from "../../router";
import { useResource } from "../../state/use";
import { Ranking } from "./ranking";

const LINES = 600;
const FEW = 8; // decisions
const tops = ["10", "100", "1000"] as const;

function readBrush(query: URLSearchParams): Brush {
  const n = (name: string) => (query.get(name) ? Number(query.get(name)) : undefined);
  return { options: brushOf(query.get("choices")), accuracy: [n("accuracy_min"), n("accuracy_max")] };
}

function setBrush(brush: Brush): void {
  const [lo, hi] = brush.accuracy;
  setQuery({ choices: brushText(brush.options), accuracy_min: lo ?? null, accuracy_max: hi ?? null });
}

function Lines({ search }: { search: Search }) {
  const loaded = useResource(
    `lines/${search.id}`,
    async (s) => {
      const [space, data] = await Promise.all([api.space(search.space, s), api.choices(search.id, LINES, s)]);
      return { space, data };
    },
    { when: (c) => c.searches.has(search.id), everyMs: 5000 },
  );
  const brush = readBrush(route.value.query);
  const value = loaded.value;
  const marked = value ? value.data.choices.filter((c, i) => passes(brush, c, value.data.accuracy[i])).length : 0;
  const any = brush.options.size > 0 || brush.accuracy.some((v) => v !== undefined);
  return (
    <Figure
      title="Architectures as lines"
      name={`search-${search.id}-lines`}
      about={
        value && (
          <>
            {value.data.code.length < value.data.total
              ? `${count(value.data.code.length)} of ${count(value.data.total)} architectures, evenly spaced over the ranking. `
              : `${plural(value.data.total, "architecture")}. `}
            Stronger lines are better. Press options or drag along an axis to mark architectures
            {any ? `: ${count(marked)} of these lines are marked, and the table shows all that match.` : "; the table below then shows only those."}
          </>
        )
      }
      controls={
        any && (
          <Button small onClick={() => setBrush({ options: new Map(), accuracy: [undefined, undefined] })}>
            Clear the marks
          </Button>
        )
      }
      twin={() => ({
        columns: ["Architecture", "Accuracy", ...(value?.space.decisions.map((d) => d.name) ?? [])],
        rows: (value?.data.code ?? []).map((code, i) => [
          code,
          value!.data.accuracy[i],
          ...value!.data.choices[i].map((o, d) => (o < 0 ? null : String(value!.space.decisions[d].options[o]))),
        ]),
      })}
    >
      {value ? (
        value.data.total ? (
          <Parallel
            decisions={value.space.decisions}
            data={value.data}
            brush={brush}
            height={Math.max(300, Math.min(520, 110 + 34 * Math.max(...value.space.decisions.map((d) => d.options.length))))}
            onBrush={setBrush}
            onPick={(code) => setQuery({ code }, true)}
          />
        ) : (
          <p class="blank">Nothing is scored yet</p>
        )
      ) : (
        <Pending what="the architectures" error={loaded.error} reload={loaded.reload} />
      )}
    </Figure>
  );
}

const meansTwin = (items: DecisionImportance[]) => ({
  columns: ["Decision", "Option", "Architectures", "Mean accuracy", "95 % from", "95 % to"],
  rows: items.flatMap((i) => i.options.map((o) => [i.decision, o.option, o.n, o.mean, o.lo, o.hi])),
});

function Effects({ search }: { search: Search }) {
  const { query } = route.value;
  const asked = query.get("top");
  const usual = search.progress.scored < 1000 ? "10" : "100"; // a tenth of all, or less
  const top = tops.find((t) => t === asked) ?? usual;
  const picked = query.get("decision") ?? undefined;
  const loaded = useResource(`importance/${search.id}/${top}`, (s) => api.importance(search.id, Number(top), s), {
    when: (c) => c.searches.has(search.id),
    everyMs: 5000,
  });
  const items = loaded.value?.items;
  if (!items) return <Pending what="the decisions" error={loaded.error} reload={loaded.reload} />;
  if (!items.some((i) => i.n)) return null;
  const shown = picked && items.some((i) => i.decision === picked) ? items.filter((i) => i.decision === picked) : items;
  const best = Math.min(Number(top), search.progress.scored);
  const common = (
    <Figure
      title={`What the best ${count(best)} have in common`}
      name={`search-${search.id}-top${top}`}
      about="The share of each option among the best, in per cent; the frame marks the most frequent one."
      controls={
        <Segments label="How many of the best" value={top} options={tops.map((t) => [t, `Top ${t}`])} onPick={(t) => setQuery({ top: t === usual ? null : t })} />
      }
      twin={() => ({
        columns: ["Decision", "Option", `Share of the best ${best}`],
        rows: items.flatMap((i) => i.options.map((o) => [i.decision, o.option, o.top_share == null ? null : percent(o.top_share, 1)])),
      })}
    >
      <Heat items={items} top={best} />
    </Figure>
  );
  const beside = items.length <= FEW; // a wide one gets the whole page
  return (
    <>
      <div class="charts">
        <div class="stack">
          <Figure
            title="Which decisions matter"
            name={`search-${search.id}-importance`}
            about="The share of the variance of accuracy that a decision explains alone, over what was scored. In a search that was steered, decisions that go together share their effect. Press one to see only its options."
            twin={() => ({ columns: ["Decision", "Share of the variance", "Architectures"], rows: items.map((i) => [i.decision, i.importance, i.n]) })}
          >
            <ImportanceBars items={items} picked={picked} onPick={(d) => setQuery({ decision: d === picked ? null : d })} />
          </Figure>
          {beside && common}
        </div>
        <Figure
          title={picked ? `Options of ${picked}` : "Options"}
          name={`search-${search.id}-options`}
          about="Mean accuracy of all scored architectures with the option, and its 95 % interval."
          controls={
            picked && (
              <Button small onClick={() => setQuery({ decision: null })}>
                All decisions
              </Button>
            )
          }
          twin={() => meansTwin(shown)}
        >
          <OptionMeans items={shown} />
        </Figure>
      </div>
      {!beside && common}
    </>
  );
}

export function Decisions({ search }: { search: Search }) {
  if (!search.progress.scored)
    return (
      <Empty title="Nothing is scored yet">
        <p>The decisions are compared as soon as the first architectures have a score.</p>
      </Empty>
    );
  return (
    <>
      <Lines search={search} />
      <Ranking search={search} />
      <Effects search={search} />
    </>
  );
}
