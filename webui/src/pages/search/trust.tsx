// trust: may this ranking be believed? The scores are compared with known accuracies, and so are MACs and parameters,
// which cost nothing to compute: a supernet that ranks no better than they do has taught us nothing.
import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { Correlation, CorrelationSet, Search, TopCorrelation, TopDecile } from "../../api/types";
import { Agreement, type Known } from "../../charts/agreement";
import { Coefficient } from "../../charts/coefficient";
import { Growth, type Grown } from "../../charts/growth";
import { count, fixed, percent, plural } from "../../format";
import { Button, Empty, Failure, Loading, Pending } from "../../parts/basics";
import { Figure } from "../../parts/figure";
import { Check, FilePick, Select } from "../../parts/form";
import { policyWords } from "../../parts/words";
import { setQuery } from "../../router";
import { maySubmit } from "../../state/session";
import { tell } from "../../state/toast";
import { useAction, useResource } from "../../state/use";

const measures: [keyof CorrelationSet, string][] = [
  ["tau_b", "Kendall τ-b"],
  ["spearman", "Spearman ρ"],
  ["pearson", "Pearson r"],
];

function Table({ rows }: { rows: [string, CorrelationSet | undefined][] }) {
  return (
    <table class="list correlation cards-narrow">
      <thead>
        <tr>
          <th scope="col">Ranked by</th>
          {measures.map(([, name]) => (
            <th scope="col">{name}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.filter(([, set]) => set).map(([name, set], i) => (
          <tr>
            <th scope="row">{name}</th>
            {measures.map(([id, label]) => (
              <td data-label={label}>
                <Coefficient of={set?.[id]} name={`${label} of ${name}`} strong={i === 0} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function verdict(c: Correlation): string {
  const own = c.score?.tau_b;
  const rivals: [string, CorrelationSet | undefined][] = [
    ["MACs", c.macs],
    ["parameters", c.params],
  ];
  const best = rivals.filter(([, r]) => r?.tau_b?.value != null).sort((a, b) => b[1]!.tau_b!.value! - a[1]!.tau_b!.value!)[0];
  if (own?.value == null || !best) return "";
  const rival = best[1]!.tau_b!;
  const figures = `(τ-b ${fixed(own.value)} against ${fixed(rival.value)})`;
  if (own.lo != null && rival.hi != null && own.lo > rival.hi) return `The supernet ranks clearly better than counting ${best[0]} ${figures}.`;
  if (own.hi != null && rival.lo != null && own.hi < rival.lo) return `Counting ${best[0]} ranks clearly better than this supernet ${figures}.`;
  return `The supernet’s ranking cannot be told from counting ${best[0]} ${figures}.`;
}

const MOST_DRAWN = 3000;
const MOST_LOOKED_AT = 20_000; // of a ranking in which few are known

// Score against known accuracy, of the best scored architectures whose accuracy is known.
function AgreementFigure({ search }: { search: Search }) {
  const loaded = useResource(
    `agreement/${search.id}`,
    async (s) => {
      const known: Known[] = [];
      let after: string | undefined;
      let seen = 0;
      do {
        const page = await api.ranking(search.id, { status: "scored", limit: 1000, after }, s);
        for (const { code, truth, accuracy } of page.items) if (truth != null && accuracy != null) known.push({ code, truth, accuracy });
        after = page.next ?? undefined;
        seen += page.items.length;
      } while (after && known.length < MOST_DRAWN && seen < MOST_LOOKED_AT);
      return { known, cut: after !== undefined };
    },
    { when: (c) => c.searches.has(search.id), everyMs: 5000 },
  );
  if (!loaded.value) return <Pending what="the known accuracies" error={loaded.error} reload={loaded.reload} />;
  const { known: items, cut } = loaded.value;
  if (items.length < 2) return null;
  return (
    <Figure
      title="Score against known accuracy"
      name={`search-${search.id}-agreement`}
      about={`${plural(items.length, "architecture")}${cut ? ", those with the best scores" : ""}; squares are truly among the best tenth of them. Click one to open it.`}
      twin={() => ({ columns: ["Architecture", "Known accuracy", "Score"], rows: items.map((i) => [i.code, i.truth, i.accuracy]) })}
    >
      <Agreement items={items} height={340} onPick={(code) => setQuery({ code }, true)} />
    </Figure>
  );
}

const MOST_TRUTH = 50_000;

// Another search's accuracies as lines of a CSV file: the whole ranking, page after page.
async function truthOf(other: number): Promise<string> {
  const lines: string[] = [];
  let after: string | undefined;
  do {
    const page = await api.ranking(other, { status: "scored", limit: 1000, after });
    for (const c of page.items) if (c.accuracy != null) lines.push(`${c.code},${c.accuracy}`);
    after = page.next ?? undefined;
  } while (after && lines.length < MOST_TRUTH);
  return lines.join("\n");
}

function TruthForm({ search, siblings, onDone }: { search: Search; siblings: Search[]; onDone: () => void }) {
  const [other, setOther] = useState("");
  const [all, setAll] = useState(false);
  const give = async (csv: string, from?: number) => {
    const answer = await api.putTruth(search.id, csv);
    const rest = all ? siblings.filter((s) => s.id !== from) : [];
    for (const s of rest) await api.putTruth(s.id, csv);
    tell(`${count(answer.matched)} known accuracies match architectures of this search${rest.length ? `; ${plural(rest.length, "other search", "other searches")} got them too` : ""}.`);
    onDone();
  };
  const put = useAction(async (files: File[]) => give(await files[0].text()));
  const take = useAction(async () => give(await truthOf(Number(other)), Number(other)));
  const failed = put.error ?? take.error;
  return (
    <div class="truth">
      <FilePick
        label="Known accuracies"
        accept=".csv,text/csv,text/plain"
        chosen={put.busy ? "Reading …" : ""}
        onPick={(f) => void put.run(f)}
        hint={
          <>
            A CSV file with lines <code>code,accuracy</code>: accuracies of stand-alone training, in any unit. They replace the ones given before.
          </>
        }
      />
      {siblings.length > 0 && (
        <div class="truth-other">
          <Select
            label="Or take another search’s scores as known"
            value={other}
            options={[{ value: "", label: "Choose a search" }, ...siblings.map((s) => ({ value: String(s.id), label: s.name }))]}
            onChange={setOther}
            hint="For example one that scored on all images"
          />
          <Button busy={take.busy} disabled={!other} onClick={() => void take.run()}>
            Take its scores
          </Button>
          <Check label={`Also for the ${plural(siblings.length, "other search", "other searches")} over this space`} checked={all} onChange={setAll} />
        </div>
      )}
      {failed && <Failure problem={failed} what="The accuracies were refused" />}
    </div>
  );
}

// The same measure for every search over this space that has known accuracies: calibration policies side by side, and by
// rising number of images, how the correlation grows with them.
function SideBySide({ search, siblings }: { search: Search; siblings: Search[] }) {
  const all = [search, ...siblings];
  const loaded = useResource(
    `siblings/${all.map((s) => s.id).join()}`,
    async (s) => {
      const rows = await Promise.all(all.map(async (x) => ({ search: x, c: await api.correlation(x.id, s) })));
      return rows.filter((r) => r.c.n > 1 && r.c.score?.tau_b?.value != null).sort((a, b) => (a.search.evaluation?.images ?? 1e15) - (b.search.evaluation?.images ?? 1e15));
    },
    { when: (c) => all.some((x) => c.searches.has(x.id)), everyMs: 5000 },
  );
  const rows = loaded.value ?? [];
  if (rows.length < 2) return null;
  const images = new Set(rows.map((r) => r.search.evaluation?.images));
  const grown = rows
    .filter((r) => r.search.evaluation?.images)
    .map(({ search: s, c }): Grown => ({ ...c.score!.tau_b!, value: c.score!.tau_b!.value!, name: s.name, images: s.evaluation!.images!, own: s.id === search.id }));
  return (
    <>
      <section class="panel flush" aria-labelledby="side-title">
        <h2 id="side-title" class="inset">
          The same under other policies
        </h2>
        <table class="list correlation cards-narrow">
          <thead>
            <tr>
              <th scope="col">Search</th>
              <th scope="col">Calibration</th>
              <th scope="col" class="num">
                Images
              </th>
              <th scope="col" class="num">
                Known
              </th>
              <th scope="col">Kendall τ-b</th>
              <th scope="col">τ-b among the true best 10 %</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ search: x, c }) => (
              <tr key={x.id}>
                <th scope="row">{x.id === search.id ? x.name : <a href={`/searches/${x.id}?tab=trust`}>{x.name}</a>}</th>
                <td data-label="Calibration">{policyWords(x)}</td>
                <td data-label="Images" class="num">
                  {x.evaluation?.images ? count(x.evaluation.images) : "all"}
                </td>
                <td data-label="Known" class="num">
                  {count(c.n)}
                </td>
                <td data-label="Kendall τ-b">
                  <Coefficient of={c.score?.tau_b} name={`Kendall τ-b of ${x.name}`} strong={x.id === search.id} />
                </td>
                <td data-label="Among the best 10 %">
                  <Coefficient of={c.top_decile?.score?.tau_b} name={`τ-b among the best of ${x.name}`} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {images.size > 1 && (
        <Figure
          title="Agreement against the number of scored images"
          name={`search-${search.id}-images`}
          about="Kendall τ-b with its 95 % interval, one mark for each search over this space by the images it scored on; the strong mark is this search."
          twin={() => ({ columns: ["Search", "Images", "Kendall τ-b", "95 % from", "95 % to"], rows: grown.map((g) => [g.name, g.images, g.value, g.lo ?? null, g.hi ?? null]) })}
        >
          <Growth items={grown} height={260} yLabel="Kendall τ-b" />
        </Figure>
      )}
    </>
  );
}

function TopTable({ top }: { top: TopDecile }) {
  const rows: [string, TopCorrelation | undefined][] = [
    ["Supernet score", top.score],
    ["MACs", top.macs],
    ["Parameters", top.params],
  ];
  return (
    <table class="list correlation cards-narrow">
      <thead>
        <tr>
          <th scope="col">Ranked by</th>
          <th scope="col">Kendall τ-b</th>
          <th scope="col">Spearman ρ</th>
          <th scope="col">Pearson r</th>
          <th scope="col" class="num">
            Of them in its own best 10 %
          </th>
          <th scope="col" class="num">
            Known accuracy of its first
          </th>
          <th scope="col" class="num">
            Best known
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, t], i) => (
          <tr>
            <th scope="row">{name}</th>
            <td data-label="Kendall τ-b">
              <Coefficient of={t?.tau_b} name={`Kendall τ-b of ${name} among the best`} strong={i === 0} />
            </td>
            <td data-label="Spearman ρ">
              <Coefficient of={t?.spearman} name={`Spearman ρ of ${name} among the best`} strong={i === 0} />
            </td>
            <td data-label="Pearson r">
              <Coefficient of={t?.pearson} name={`Pearson r of ${name} among the best`} strong={i === 0} />
            </td>
            <td data-label="In its own best" class="num">
              {percent(t?.overlap, 0)}
            </td>
            <td data-label="Known accuracy of its first" class="num">
              {fixed(t?.best_pick, 2)}
            </td>
            <td data-label="Best known" class="num">
              {fixed(t?.best, 2)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Trust({ search }: { search: Search }) {
  const correlation = useResource(`correlation/${search.id}`, (s) => api.correlation(search.id, s), {
    when: (c) => c.searches.has(search.id),
    everyMs: 3000,
  });
  const c = correlation.value;
  const has = c && c.n > 1 && c.score?.tau_b?.value != null;
  const top = c?.top_decile;
  const others = useResource("searches", (s) => api.searches(s));
  const siblings = (others.value ?? []).filter((s) => s.space === search.space && s.id !== search.id && s.progress.scored > 0).slice(0, 20);
  return (
    <>
    <section class="panel" aria-labelledby="trust-title">
      <h2 id="trust-title">Can this ranking be trusted?</h2>
      {!c && !correlation.error && <Loading what="the correlation" />}
      {correlation.error && correlation.error.type !== "not-found" && <Failure problem={correlation.error} retry={correlation.reload} />}
      {has ? (
        <>
          <p class="lead">{verdict(c)}</p>
          <Table
            rows={[
              ["Supernet score", c.score],
              ["MACs", c.macs],
              ["Parameters", c.params],
            ]}
          />
          <p class="note">
            Over {plural(c.n, "architecture")} whose accuracy is known. Bars are 95 % intervals. MACs and parameters are the baseline that any supernet
            must beat.
          </p>
          {top?.score && (
            <>
              <h3>Among the true best 10 %{top.score.n ? ` (${count(top.score.n)})` : ""}</h3>
              <TopTable top={top} />
            </>
          )}
        </>
      ) : (
        (c || correlation.error?.type === "not-found") && (
          <Empty title="No known accuracies yet">
            <p>
              Give the accuracies of some architectures trained on their own, and this page shows how well the supernet’s ranking agrees with them,
              next to what counting MACs or parameters would have told.
            </p>
          </Empty>
        )
      )}
      {maySubmit.value && <TruthForm search={search} siblings={siblings} onDone={correlation.reload} />}
    </section>
    {has && <AgreementFigure search={search} />}
    {has && siblings.length > 0 && <SideBySide search={search} siblings={siblings} />}
    </>
  );
}
