import { ServiceError } from '../../base/errors.ts';
import type { Route } from './route.ts';

interface Compiled {
  readonly route: Route;
  readonly pattern: RegExp;
}

/** Finds the operation that a request asks for. */
export class Router {
  /** By method and first segment of the path; in the order of the table, most special first. */
  readonly #routes = new Map<string, Compiled[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const key = `${route.method} ${firstSegment(route.path)}`;
      const list = this.#routes.get(key) ?? [];
      list.push({ route, pattern: compile(route.path) });
      this.#routes.set(key, list);
    }
  }

  /** Throws what dockerd answers where it has nothing; a path that is not well-formed is not there either. */
  find(
    method: string,
    path: string,
    api: number,
  ): { readonly route: Route; readonly parameters: Record<string, string> } {
    const decoded = decode(path);
    for (const { route, pattern } of this.#routes.get(`${method} ${firstSegment(decoded)}`) ?? []) {
      if (api < (route.since ?? 0) || api > (route.until ?? Number.POSITIVE_INFINITY)) continue;
      const match = pattern.exec(decoded);
      if (match !== null) return { route, parameters: { ...match.groups } };
    }
    throw new ServiceError('NotFound', 'page not found', { status: 404 });
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new ServiceError('InvalidParameter', 'the path is not well-formed');
  }
}

function firstSegment(path: string): string {
  return path.split('/', 2)[1] ?? '';
}

function compile(path: string): RegExp {
  const source = path
    .split(/(\{[a-z]+(?:\.\.\.)?\})/)
    .map((part) => {
      const [, name, rest] = /^\{([a-z]+)(\.\.\.)?\}$/.exec(part) ?? [];
      if (name === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      return rest === undefined ? `(?<${name}>[^/]+)` : `(?<${name}>.+)`;
    })
    .join('');
  return new RegExp(`^${source}$`, 's');
}
