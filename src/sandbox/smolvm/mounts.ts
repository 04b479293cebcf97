import type { WorkflowConfig } from "../../workflow/WorkflowConfig.ts"
import { SandboxError } from "../Sandboxes.ts"
import type { Mount } from "./Machines.ts"

/** The fourth makes the machine fail at its start with an error that says nothing. */
export const MOST_MOUNTS = 3

/** What smolvm mounts from nowhere, itself or with all below. */
const REFUSED = ["/", "/var"]
const REFUSED_BELOW = [
  "/etc",
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/boot",
  "/proc",
  "/sys",
  "/dev",
  "/run",
  "/var/run",
  "/var/log"
]

const isRefused = (path: string): boolean =>
  REFUSED.includes(path) || REFUSED_BELOW.some((folder) => path === folder || path.startsWith(`${folder}/`))

/** Where `smolvm.bin_path` is in the guest. */
export const BIN_TARGET = "/opt/codex"

/** The mounts that the configuration asks for beside the workspace. */
export const configuredMounts = ({ smolvm }: WorkflowConfig): ReadonlyArray<Mount> => [
  ...(smolvm.binPath === null ? [] : [{ source: smolvm.binPath, target: BIN_TARGET, readonly: true }]),
  ...smolvm.volumes.map(({ guest, host, readonly }) => ({ source: host, target: guest, readonly }))
]

const refused = (detail: string, hint: string) =>
  new SandboxError({ kind: "smolvm", reason: "mount", detail, hint })

/** Why smolvm would not take these, told in time; null when it will. */
export const mountProblem = (mounts: ReadonlyArray<Mount>): SandboxError | null => {
  const system = mounts.find(({ source }) => isRefused(source))
  if (system !== undefined) {
    return refused(
      `smolvm mounts nothing from ${system.source}`,
      "it refuses system folders: move the workspace root or the volume elsewhere"
    )
  }
  const colon = mounts.find(({ source, target }) => source.includes(":") || target.includes(":"))
  if (colon !== undefined) {
    return refused(
      `smolvm mounts no folder with a colon in its name: ${colon.source}`,
      "rename it, or move the workspace root or the volume elsewhere"
    )
  }
  const targets = mounts.map(({ target }) => target)
  const twice = targets.find((target, index) => targets.indexOf(target) !== index)
  if (twice !== undefined) return refused(`two folders are mounted at ${twice}`, "change `smolvm.volumes`")
  if (mounts.length > MOST_MOUNTS) {
    return refused(
      `${mounts.length} folders are to be mounted (${mounts.map(({ source }) => source).join(", ")}), and a machine takes ${MOST_MOUNTS}`,
      "take out of `smolvm.volumes`, or put under one folder, what exceeds that"
    )
  }
  return null
}
