import type { Shape, StructureShape } from './shape.ts';

/** Finds members that the schema requires and the input lacks. */
export class RequiredMembers {
  readonly #worthVisiting = new Map<Shape, boolean>();

  /** Paths in AWS's notation (`entries.1.member.id`) of what is missing, at most `limit` of them. */
  missing(shape: StructureShape, input: Readonly<Record<string, unknown>>, limit = 10): string[] {
    const paths: string[] = [];
    this.#structure(shape, input, '', paths, limit);
    return paths;
  }

  #structure(
    shape: StructureShape,
    value: Readonly<Record<string, unknown>>,
    path: string,
    paths: string[],
    limit: number,
  ): void {
    for (const member of shape.members) {
      if (paths.length >= limit) return;
      const item = value[member.name];
      if (item === undefined || item === null) {
        if (member.required) paths.push(path + lowerFirst(member.name));
      } else if (this.#isWorthVisiting(member.shape, [])) {
        this.#visit(member.shape, item, path + lowerFirst(member.name), paths, limit);
      }
    }
  }

  #visit(shape: Shape, value: unknown, path: string, paths: string[], limit: number): void {
    switch (shape.kind) {
      case 'structure':
      case 'union':
        this.#structure(shape, value as Record<string, unknown>, `${path}.`, paths, limit);
        break;
      case 'list':
        for (const [index, item] of (value as unknown[]).entries()) {
          if (paths.length >= limit) return;
          if (item !== null) this.#visit(shape.element.shape, item, `${path}.${index + 1}.member`, paths, limit);
        }
        break;
      case 'map':
        for (const [key, item] of Object.entries(value as Record<string, unknown>)) {
          if (paths.length >= limit) return;
          if (item !== null) this.#visit(shape.value.shape, item, `${path}.${key.slice(0, 64)}.member`, paths, limit);
        }
        break;
      default:
    }
  }

  /** Whether a required member can be somewhere inside. `path`: the shapes being looked at, against endless recursion. */
  #isWorthVisiting(shape: Shape, path: readonly Shape[]): boolean {
    const known = this.#worthVisiting.get(shape);
    if (known !== undefined) return known;
    if (path.includes(shape)) return false;
    const inner = [...path, shape];
    let worth = false;
    if (shape.kind === 'list') worth = this.#isWorthVisiting(shape.element.shape, inner);
    else if (shape.kind === 'map') worth = this.#isWorthVisiting(shape.value.shape, inner);
    else if (shape.kind === 'structure' || shape.kind === 'union') {
      worth = shape.members.some((member) => member.required || this.#isWorthVisiting(member.shape, inner));
    }
    // A shape reached only through itself says nothing final until the outermost question is answered.
    if (worth || path.length === 0) this.#worthVisiting.set(shape, worth);
    return worth;
  }
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
