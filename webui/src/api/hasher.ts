// hasher: a Web Worker that hashes one file in slices, so that the page stays quick. File in; {done} and {sha} out.
import { Sha256 } from "./sha256";

const SLICE = 4 * 1024 * 1024;
const port = self as unknown as { onmessage: (e: MessageEvent<File>) => void; postMessage(m: unknown): void };

port.onmessage = async (event) => {
  const file = event.data;
  const hash = new Sha256();
  try {
    for (let at = 0; at < file.size; at += SLICE) {
      hash.update(new Uint8Array(await file.slice(at, at + SLICE).arrayBuffer()));
      port.postMessage({ done: Math.min(at + SLICE, file.size) });
    }
    port.postMessage({ sha: hash.hex() });
  } catch (error) {
    port.postMessage({ error: `The file could not be read: ${(error as Error).message}` });
  }
};
