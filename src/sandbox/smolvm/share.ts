import { createHash } from "node:crypto"
import { Effect, FileSystem, Path, type PlatformError } from "effect"
import { SandboxError } from "../Sandboxes.ts"
import type { Order } from "./guestLink.ts"
import type { Mount } from "./Machines.ts"

export interface Share {
  readonly mount: Mount
  readonly links: Order["links"]
}

/**
 * Many host paths in one mount: a copy of them in a folder of ours, laid out as on the host, so that programs
 * find their neighbours; in the guest links lead there from where they lie on the host. A copy, because not
 * every smolvm enforces read-only. Our own Node is not copied: the guest has its own.
 */
export const makeShare = Effect.fnUntraced(
  function* (
    fs: FileSystem.FileSystem,
    path: Path.Path,
    options: { readonly stateRoot: string; readonly node: string; readonly paths: ReadonlyArray<string> }
  ) {
    const copied = options.paths.filter((source) => source !== options.node)
    const name = createHash("sha256").update(copied.join("\0")).digest("hex").slice(0, 16)
    const root = path.join(yield* fs.realPath(options.stateRoot), "vm-share", name)
    yield* fs.remove(root, { recursive: true, force: true })
    for (const source of copied) {
      const target = path.join(root, source)
      yield* fs.makeDirectory(path.dirname(target), { recursive: true })
      yield* fs.copy(yield* fs.realPath(source), target, { preserveTimestamps: true })
    }
    const share: Share = {
      mount: { source: root, target: root, readonly: true },
      links: options.paths.map((at) => ({ at, to: at === options.node ? null : path.join(root, at) }))
    }
    return share
  },
  Effect.mapError(
    (error: PlatformError.PlatformError) =>
      new SandboxError({
        kind: "smolvm",
        reason: "mount",
        detail: `what the guest is to read cannot be copied: ${error.message}`,
        hint: null
      })
  )
)
