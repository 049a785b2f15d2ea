// trust: may this ranking be believed? The scores are compared with known accuracies, and so are MACs and parameters,
// which cost nothing to compute: a supernet that ranks no better than they do has taught us nothing.
import { api } from "../../api/client";
import type { Correlation, CorrelationSet, Search } from "../../api/types";
import { Coefficient } from "../../charts/coefficient";
import { count, fixed, plural } from "../../format";
import { Empty, Failure, Loading } from "../../parts/basics";
import { FilePick } from "../../parts/form";
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

function TruthForm({ search, onDone }: { search: Search; onDone: () => void }) {
  const put = useAction(async (files: File[]) => {
    const text = await files[0].text();
    const answer = await api.putTruth(search.id, text);
    tell(`${count(answer.matched)} known accuracies match architectures of this search.`);
    onDone();
  });
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
      {put.error && <Failure problem={put.error} what="The file was refused" />}
    </div>
  );
}

export function Trust({ search }: { search: Search }) {
  const correlation = useResource(`correlation/${search.id}`, (s) => api.correlation(search.id, s), {
    when: (c) => c.searches.has(search.id),
    everyMs: 3000,
  });
  const c = correlation.value;
  const has = c && c.n > 1 && c.score?.tau_b?.value != null;
  const top = c?.top_decile as ({ n?: number } & Partial<Record<"score" | "macs" | "params", CorrelationSet>>) | undefined;
  return (
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
              <h3>Among the true best 10 %{top.n ? ` (${count(top.n)})` : ""}</h3>
              <Table
                rows={[
                  ["Supernet score", top.score],
                  ["MACs", top.macs],
                  ["Parameters", top.params],
                ]}
              />
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
      {maySubmit.value && <TruthForm search={search} onDone={correlation.reload} />}
    </section>
  );
}
