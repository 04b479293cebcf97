import { createHash } from "node:crypto"

const LONGEST_WORDS = 40

const hashOf = (text: string, length: number) =>
  createHash("sha256").update(text).digest("hex").slice(0, length)

/** What the names of all machines of one tracker begin with. */
export const machinePrefix = (stateRoot: string): string => `symphony-${hashOf(stateRoot, 12)}-`

/**
 * The name of an issue's machine: readable, and told apart by a hash, so that identifiers that differ in case
 * or in characters which smolvm refuses have different machines. At most 88 of its 128 characters.
 */
export const machineName = (stateRoot: string, identifier: string): string => {
  const words = identifier
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, LONGEST_WORDS)
    .replace(/-+$/, "")
  return `${machinePrefix(stateRoot)}${words === "" ? "issue" : words}-${hashOf(identifier, 16)}`
}
