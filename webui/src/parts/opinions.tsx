// opinions: what the others say about a score. A coordinator that checks has some architectures scored by several workers;
// `agreed` of `replicas` results are the one that is shown.
import type { Candidate } from "../api/types";

type Of = Pick<Candidate, "replicas" | "agreed">;

function verdict({ replicas, agreed }: Of): "confirmed" | "disputed" | null {
  if ((agreed ?? 0) >= 2) return "confirmed";
  return (replicas ?? 0) > (agreed ?? 0) ? "disputed" : null;
}

const words = {
  confirmed: (o: Of) => `${o.agreed} of ${o.replicas} workers got this`,
  disputed: (o: Of) => `${o.replicas} workers got different scores`,
};

// Beside a score: nothing for one that nobody repeated.
export function OpinionMark({ of }: { of: Of }) {
  const found = verdict(of);
  if (!found) return null;
  return (
    <span class={`opinion ${found === "confirmed" ? "good" : "bad"}`} role="img" aria-label={words[found](of)} title={words[found](of)}>
      {found === "confirmed" ? "✓" : "≠"}
    </span>
  );
}

export function Opinions({ of }: { of: Of }) {
  const found = verdict(of);
  if (!of.replicas) return <>–</>;
  if (!found) return <span class="muted">one worker</span>;
  return (
    <>
      <span class={`opinion ${found === "confirmed" ? "good" : "bad"}`} aria-hidden="true">
        {found === "confirmed" ? "✓" : "≠"}
      </span>
      {found === "confirmed" ? `${of.agreed} of ${of.replicas} agree` : "disputed"}
    </>
  );
}
