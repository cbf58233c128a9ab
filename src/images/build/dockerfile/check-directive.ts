/** What `# check=skip=A,B;error=true` asks for. */
export interface CheckDirective {
  /** Names of BuildKit's checks, or `all`. */
  readonly skipped: readonly string[];
  /** What is found counts as an error. */
  readonly strict: boolean;
  /** What is wrong with it. */
  readonly problem: string | undefined;
}

const OPTIONS = ['skip', 'error', 'experimental'];
const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** Reads the value of the parser directive `check`. Source: "check" of the Dockerfile reference; values of `error` as Go's `strconv.ParseBool` has them. */
export function readCheckDirective(text: string): CheckDirective {
  const written = text.split(';').filter((part) => part.trim() !== '');
  const parts = written.map((part) => {
    const equals = part.indexOf('=');
    return equals < 0
      ? { name: part.trim(), value: undefined }
      : { name: part.slice(0, equals).trim(), value: part.slice(equals + 1).trim() };
  });
  const of = (name: string) => parts.findLast((part) => part.name === name)?.value;
  const unknown = parts.find(({ name, value }) => value === undefined || !OPTIONS.includes(name));
  const error = of('error');
  let problem: string | undefined;
  if (unknown !== undefined) {
    problem = `the parser directive check has no option ${unknown.name}. Write check=skip=NAME,NAME;error=true`;
  } else if (error !== undefined && ![...TRUE, ...FALSE].includes(error)) {
    problem = `error of the parser directive check must be true or false, not ${error}`;
  }
  return {
    skipped: (of('skip') ?? '').split(',').map((name) => name.trim()),
    strict: error !== undefined && TRUE.includes(error),
    problem,
  };
}
