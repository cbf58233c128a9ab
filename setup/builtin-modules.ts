import { builtinModules } from 'node:module';
import type { Plugin } from 'esbuild';

/**
 * Makes the bundle take these modules of Node's without reading their getters. An `import` of a built-in module reads all
 * of its properties; some are getters that load much: `http.WebSocket` brings in the whole of fetch (16 MB and 30 ms at
 * each start), `tls.rootCertificates` every root. A name that is a getter cannot be imported from them any more: the build
 * says so, and `import tls from 'node:tls'` with `tls.rootCertificates` where it is needed does instead.
 */
export function withoutGetters(names: readonly string[]): Plugin {
  return {
    name: 'without-getters',
    setup: ({ onResolve, onLoad }) => {
      const filter = new RegExp(`^(?:node:)?(?:${names.join('|')})$`);
      onResolve({ filter }, ({ path, kind }) => {
        if (kind !== 'import-statement' || !builtinModules.includes(path.replace('node:', ''))) return undefined;
        return { path: path.replace('node:', ''), namespace: 'builtin', sideEffects: false };
      });
      onLoad({ filter: /.*/, namespace: 'builtin' }, async ({ path }) => {
        const module = process.getBuiltinModule(path) as object;
        const properties = Object.entries(Object.getOwnPropertyDescriptors(module));
        const plain = properties.filter(([name, { get }]) => get === undefined && /^[A-Za-z_$][\w$]*$/.test(name));
        const exported = plain.map(([name]) => name).filter((name) => name !== 'default');
        return {
          contents: `const builtin = process.getBuiltinModule('node:${path}');\nexport default builtin;\nexport const { ${exported.join(', ')} } = builtin;`,
          loader: 'js',
        };
      });
    },
  };
}
