import { randomUUID } from "node:crypto"
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Script } from "./script.ts"
import { parseScript } from "./script.ts"

/**
 * Where a workspace's script stands. It outlives the process, so that continuation turns, retries and restarts
 * go on after the last finished step, whatever session they come in.
 */
export interface Position {
  readonly script: Script
  /** Index of the next step. */
  readonly next: number
  /** The answer to the last question, once there is one. */
  readonly reply: string | null
  /** The last finished step was a question, so that the next prompt is its answer. */
  readonly asked: boolean
}

interface Stored {
  readonly source: string
  readonly next: number
  readonly reply: string | null
  readonly asked: boolean
}

/** In the `.git` folder, where it is in nobody's commit; beside the work where there is no repository. */
const fileIn = (workspace: string): string => {
  const git = join(workspace, ".git")
  const inGit = statSync(git, { throwIfNoEntry: false })?.isDirectory() === true
  return inGit ? join(git, "symphony-demo.json") : join(workspace, ".symphony-demo.json")
}

const isStored = (value: unknown): value is Stored =>
  typeof value === "object" &&
  value !== null &&
  "source" in value &&
  typeof value.source === "string" &&
  "next" in value &&
  typeof value.next === "number" &&
  "reply" in value &&
  (value.reply === null || typeof value.reply === "string") &&
  "asked" in value &&
  typeof value.asked === "boolean"

const read = (file: string): Stored | undefined => {
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch {
    return undefined
  }
  const value: unknown = JSON.parse(text)
  return isStored(value) ? value : undefined
}

/** The position for a prompt: a script that is new here starts from its beginning. */
export const loadPosition = (workspace: string, source: string | undefined): Position | undefined => {
  const stored = read(fileIn(workspace))
  if (source !== undefined && stored?.source !== source)
    return { script: parseScript(source), next: 0, reply: null, asked: false }
  return stored === undefined
    ? undefined
    : { script: parseScript(stored.source), next: stored.next, reply: stored.reply, asked: stored.asked }
}

export const savePosition = (workspace: string, position: Position): void => {
  const file = fileIn(workspace)
  const stored: Stored = {
    source: position.script.source,
    next: position.next,
    reply: position.reply,
    asked: position.asked
  }
  mkdirSync(dirname(file), { recursive: true })
  // Two sessions in one workspace do not take each other's file away.
  const temporary = `${file}.${randomUUID()}.tmp`
  writeFileSync(temporary, JSON.stringify(stored))
  renameSync(temporary, file)
}
