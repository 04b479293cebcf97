import { createHash } from "node:crypto"

const LONGEST = 64
const HASHED = /-[0-9a-f]{16}$/
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/** Usable as it is, everywhere a key is used: as a folder, a git ref and a file name on any system. */
const isPlain = (identifier: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(identifier) &&
  identifier.length <= LONGEST &&
  !identifier.includes("..") &&
  !/(\.|\.lock)$/.test(identifier) &&
  !RESERVED.test(identifier) &&
  !HASHED.test(identifier)

/**
 * The name of an issue's folder, branch and machine. An identifier that is usable as it is keeps its name;
 * any other has its foreign characters replaced by `_` and a 64-bit hash of the original appended, so that
 * two identifiers never share a key.
 */
export const workspaceKey = (identifier: string): string => {
  if (isPlain(identifier)) return identifier
  const clean = identifier
    .replaceAll(/[^A-Za-z0-9._-]/g, "_")
    .replace(/^[^A-Za-z0-9]+/, "")
    .replaceAll("..", "_")
    .slice(0, LONGEST - 17)
  const hash = createHash("sha256").update(identifier).digest("hex").slice(0, 16)
  return `${clean === "" ? "issue" : clean}-${hash}`
}

/** The branch an agent works on. */
export const agentBranch = (identifier: string): string => `agent/${workspaceKey(identifier)}`
