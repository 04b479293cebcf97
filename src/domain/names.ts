const LONGEST_NAME = 200

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/** What is wrong with a name that becomes part of paths, branches and pages; `undefined` when nothing is. */
export const nameFault = (name: string): string | undefined => {
  if (name.trim() === "") return "it is empty"
  if (name.length > LONGEST_NAME) return `it is longer than ${LONGEST_NAME} characters`
  return INVISIBLE.test(name) ? "it contains control or invisible characters" : undefined
}

/** What is wrong with the name of a state, which is that of a folder. */
export const stateNameFault = (name: string): string | undefined =>
  nameFault(name) ?? (/^\s*\.|[/\\]/.test(name) ? "it is no folder name" : undefined)
