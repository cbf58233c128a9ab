/** The schemas of an SDK client. Nothing in them is typed beyond their being arrays; `schema/` reads them. */
declare module '*/dist-es/schemas/schemas_0.js' {
  const schemas: Readonly<Record<string, unknown>>;
  export = schemas;
}
