// uploads: the bar at the foot of the page that shows files on their way, whatever page the user is on.
import { bytes } from "../format";
import { cancelUpload, dismiss, retryUpload, uploads, type Upload } from "../state/uploads";
import { Bar, Button } from "./basics";

function words(u: Upload): string {
  if (u.stage === "hashing") return `Computing its SHA-256 · ${bytes(u.done)} of ${bytes(u.size)}`;
  if (u.stage === "sending") {
    const left = u.perSecond > 0 ? ` · ${bytes(u.perSecond)}/s` : "";
    return `Sending · ${bytes(u.done)} of ${bytes(u.size)}${left}`;
  }
  if (u.stage === "done") return `Stored · ${bytes(u.size)}`;
  if (u.stage === "interrupted") return `Interrupted at ${bytes(u.done)} of ${bytes(u.size)}: choose the same file again and it goes on from there`;
  return u.error ?? "Failed";
}

export function UploadRow({ upload: u }: { upload: Upload }) {
  const active = u.stage === "hashing" || u.stage === "sending";
  return (
    <li class={`upload ${u.stage}`}>
      <div class="upload-line">
        <strong class="ellipsis">{u.name}</strong>
        <span class="muted">{words(u)}</span>
        <span class="grow" />
        {u.stage === "failed" && (
          <Button small onClick={() => void retryUpload(u.id)?.catch(() => undefined)}>
            Try again
          </Button>
        )}
        {active ? (
          <Button small kind="quiet" onClick={() => cancelUpload(u.id)}>
            Cancel
          </Button>
        ) : (
          <Button small kind="quiet" onClick={() => dismiss(u.id)} aria-label={`Dismiss ${u.name}`}>
            ✕
          </Button>
        )}
      </div>
      {(active || u.stage === "interrupted") && <Bar value={u.done} of={u.size} label={`${u.name}: ${u.stage}`} />}
    </li>
  );
}

export function UploadDock() {
  if (!uploads.value.length) return null;
  return (
    <aside class="dock" aria-label="Uploads">
      <ul>
        {uploads.value.map((u) => (
          <UploadRow key={u.id} upload={u} />
        ))}
      </ul>
    </aside>
  );
}
