import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"

/** Why this machine cannot run something, or null when it can. */
type Lack = string | null

const demanded = process.env["SYMPHONY_TEST_ALL"] === "1"

/**
 * Whether to run a block of tests that needs something of the machine. What is lacking is printed, once for
 * each block; with `SYMPHONY_TEST_ALL=1` it is a failure instead of a skip.
 */
const requires = (what: string, lack: Lack): boolean => {
  if (lack === null) return true
  if (demanded) throw new Error(`SYMPHONY_TEST_ALL=1, but ${what} cannot be tested: ${lack}`)
  process.stderr.write(`skipped: ${what}: ${lack}\n`)
  return false
}

const bubblewrapLack = (): Lack => {
  const probe = spawnSync(
    "bwrap",
    ["--unshare-user", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "true"],
    { encoding: "utf8" }
  )
  if (probe.error !== undefined) return "`bwrap` is not installed (apt-get install bubblewrap)"
  return probe.status === 0 ? null : `\`bwrap\` cannot make namespaces here: ${probe.stderr.trim()}`
}

const procLack = (): Lack => (process.platform === "linux" ? null : "needs /proc (Linux)")

let bubblewrap: { readonly lack: Lack } | undefined

/** For `describe.skipIf(!canBubblewrap("…"))`. */
export const canBubblewrap = (what: string): boolean => {
  bubblewrap ??= { lack: bubblewrapLack() }
  return requires(what, bubblewrap.lack)
}

export const hasProcessTable = (what: string): boolean => requires(what, procLack())

/** Debian's names for it, and the usual place of a downloaded one. */
export const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync
)

export const hasChromium = (what: string): boolean =>
  requires(what, CHROMIUM === undefined ? "there is no Chromium (apt-get install chromium)" : null)

/** Of nobody, on every system that we know. */
export const NOBODY = 65_534

/** Whether the built program can be started as an ordinary user by us, who are root. */
export const canBecomeNobody = (what: string, program: string): boolean => {
  const lack = (): Lack => {
    if (process.getuid?.() !== 0) return "only root can become another user"
    const probe = spawnSync(
      process.execPath,
      ["-e", `require("node:fs").accessSync(${JSON.stringify(program)})`],
      {
        uid: NOBODY,
        gid: NOBODY,
        cwd: "/",
        encoding: "utf8"
      }
    )
    if (probe.error !== undefined) return `nobody cannot run ${process.execPath}: ${probe.error.message}`
    return probe.status === 0 ? null : `nobody may not read ${program}`
  }
  return requires(what, lack())
}
