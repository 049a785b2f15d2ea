// library: what searches are made from. One section for each kind of thing.
import { Empty, Tabs } from "../../parts/basics";
import { UploadRow } from "../../parts/uploads";
import { go } from "../../router";
import { interruptedUploads } from "../../state/uploads";
import { CheckpointPage, Checkpoints } from "./checkpoints";
import { DatasetPage, Datasets } from "./datasets";
import { SpacePage, Spaces } from "./spaces";

const sections = [
  { id: "spaces", label: "Spaces" },
  { id: "checkpoints", label: "Checkpoints" },
  { id: "datasets", label: "Data sets" },
];

function One({ section, id }: { section: string; id: number }) {
  if (section === "spaces") return <SpacePage key={id} id={id} />;
  if (section === "checkpoints") return <CheckpointPage key={id} id={id} />;
  if (section === "datasets") return <DatasetPage key={id} id={id} />;
  return <Empty title="There is no such section" />;
}

function All({ section }: { section: string }) {
  if (section === "spaces") return <Spaces />;
  if (section === "checkpoints") return <Checkpoints />;
  if (section === "datasets") return <Datasets />;
  return <Empty title="There is no such section" />;
}

export function Library({ section, id }: { section: string; id?: number }) {
  if (id !== undefined) return <One section={section} id={id} />;
  return (
    <>
      <div class="page-head">
        <h1>Library</h1>
      </div>
      <Tabs label="Library" items={sections} current={section} onPick={(s) => go(`/library/${s}`)} />
      {interruptedUploads.value.length > 0 && section !== "spaces" && (
        <section class="panel" aria-label="Interrupted uploads">
          <h2>Interrupted uploads</h2>
          <ul class="uploads">
            {interruptedUploads.value.map((u) => (
              <UploadRow key={u.id} upload={u} />
            ))}
          </ul>
        </section>
      )}
      <div role="tabpanel" aria-labelledby={`tab-${section}`}>
        <All section={section} />
      </div>
    </>
  );
}
