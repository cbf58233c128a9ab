import { registerHooks } from 'node:module';

/**
 * Lets Node load one schema file of an SDK client as it is. The files under a client's `dist-es` are ES modules whose
 * relative imports have no extension, as bundlers accept; Node does not. A client's own entry point loads the whole
 * client (60 to 100 ms); its schema file is 5 to 20 ms. In the bundled release the bundler has resolved these imports
 * already, so the hook finds nothing to do.
 */
registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('.') && !specifier.endsWith('.js') && fromClient(context.parentURL)) {
      return next(`${specifier}.js`, context);
    }
    return next(specifier, context);
  },
});

function fromClient(url: string | undefined): boolean {
  return url?.includes('/@aws-sdk/client-') === true && url.includes('/dist-es/');
}
