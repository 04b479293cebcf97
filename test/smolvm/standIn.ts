import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

/** Holds the stand-in `smolvm` command. */
export const standInFolder = fileURLToPath(new URL("../fixtures/smolvm", import.meta.url))

export type Profile = "may" | "now"

export interface StandIn {
  readonly home: string
  readonly env: Record<string, string>
  /** Changes how it behaves from now on. */
  readonly behave: (behaviour: Readonly<Record<string, unknown>>) => void
  /** Runs a command of it to its end. */
  readonly run: (
    args: ReadonlyArray<string>,
    input?: string
  ) => { readonly code: number; readonly stdout: string; readonly stderr: string }
  /** `smolvm serve` at this socket, once it listens. */
  readonly serve: (socket: string, floor?: string) => Promise<{ readonly stop: () => void }>
  readonly spawn: (args: ReadonlyArray<string>) => ChildProcess
  readonly list: () => ReadonlyArray<{
    readonly name: string
    readonly state: string
    readonly pid: number | null
  }>
  /** Of each boot: the machine, and how many lived then, itself included. */
  readonly boots: () => ReadonlyArray<{ readonly name: string; readonly living: number }>
  /** Living `_boot-vm` processes of this stand-in. */
  readonly processes: () => ReadonlyArray<number>
  /** Ends all that it started and removes its state. */
  readonly close: () => void
}

const cmdline = (pid: string): string => {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8")
  } catch {
    return ""
  }
}

export const openStandIn = (profile: Profile, behaviour: Readonly<Record<string, unknown>> = {}): StandIn => {
  const home = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "smolvm-")))
  const env = {
    SMOLVM_STANDIN: home,
    PATH: `${standInFolder}:${process.env["PATH"] ?? ""}`,
    HOME: process.env["HOME"] ?? home
  }
  let now: Readonly<Record<string, unknown>> = { profile, ...behaviour }
  const behave = (change: Readonly<Record<string, unknown>>) => {
    now = { ...now, ...change }
    fs.writeFileSync(path.join(home, "behaviour.next"), JSON.stringify(now))
    fs.renameSync(path.join(home, "behaviour.next"), path.join(home, "behaviour.json"))
  }
  behave({})
  const run: StandIn["run"] = (args, input) => {
    try {
      const stdout = execFileSync("smolvm", args, {
        env,
        encoding: "utf8",
        input: input ?? "",
        stdio: ["pipe", "pipe", "pipe"],
        maxBuffer: 64 * 1024 * 1024
      })
      return { code: 0, stdout, stderr: "" }
    } catch (error) {
      const failed = error as { status: number; stdout: string; stderr: string }
      return { code: failed.status, stdout: failed.stdout, stderr: failed.stderr }
    }
  }
  const processes = () =>
    fs
      .readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        const words = cmdline(pid).split("\0")
        return (
          words.some((word) => word.endsWith("/vmm.mjs")) && words.some((word) => word.startsWith(`${home}/`))
        )
      })
      .map(Number)
  return {
    home,
    env,
    behave,
    run,
    serve: (socket, floor = "metadata") =>
      new Promise((resolve) => {
        const server = spawn("smolvm", ["serve", "start", "-l", socket], {
          env: { ...env, SMOLVM_EGRESS_FLOOR: floor },
          stdio: ["ignore", "pipe", "inherit"]
        })
        server.stdout.once("data", () => resolve({ stop: () => void server.kill() }))
      }),
    spawn: (args) => spawn("smolvm", args, { env, stdio: ["pipe", "pipe", "pipe"] }),
    list: () => {
      const told = now["ls"]
      behave({ ls: "ok" })
      const { stdout } = run(["machine", "ls", "--json"])
      behave({ ls: told })
      return JSON.parse(stdout)
    },
    processes,
    boots: () => {
      const log = path.join(home, "boots.log")
      const lines = fs.existsSync(log) ? fs.readFileSync(log, "utf8").trim().split("\n") : []
      return lines.map((line) => {
        const [name = "", living] = line.split(" ")
        return { name, living: Number(living) }
      })
    },
    close: () => {
      for (const pid of processes()) {
        try {
          process.kill(pid, "SIGKILL")
        } catch {
          // Gone by itself.
        }
      }
      fs.rmSync(home, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}
