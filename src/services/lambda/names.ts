import type { RequestContext } from '../service.ts';
import { accessDenied, invalidParameter, notFound, validation } from './errors.ts';
import type { Scope } from './model.ts';

/** A function as a request names it. */
export interface FunctionName extends Scope {
  readonly name: string;
  /** Version, alias or `$LATEST`, from the name or the `Qualifier` parameter. */
  readonly qualifier: string | undefined;
}

const NAME =
  /^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2}(?:-[a-z]+)+-\d):)?(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9-_]+)(?::(\$LATEST|[a-zA-Z0-9-_]+))?$/;
const NAME_PATTERN =
  '(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?';
const QUALIFIER = /^[a-zA-Z0-9$_-]{1,128}$/;

/** Operations that a resource policy can open to other accounts. */
const CROSS_ACCOUNT = new Set(['Invoke', 'InvokeAsync', 'InvokeWithResponseStream']);

/**
 * Reads a function's name, partial ARN or ARN, with or without a qualifier. Source: Lambda API Reference, the
 * `FunctionName` parameter. Throws ValidationException, InvalidParameterValueException, ResourceNotFoundException (another
 * region) and AccessDeniedException (another account).
 */
export function parseFunctionName(
  text: string | undefined,
  qualifier: string | undefined,
  context: Pick<RequestContext, 'account' | 'region' | 'operation'>,
): FunctionName {
  const given = text ?? '';
  const match = given.length <= 170 ? NAME.exec(given) : null;
  if (!match) {
    const constraint =
      given.length > 170
        ? 'Member must have length less than or equal to 170'
        : `Member must satisfy regular expression pattern: ${NAME_PATTERN}`;
    throw validation(
      `1 validation error detected: Value '${given}' at 'functionName' failed to satisfy constraint: ${constraint}`,
    );
  }
  if (qualifier !== undefined && qualifier !== '' && !QUALIFIER.test(qualifier)) {
    throw validation(
      `1 validation error detected: Value '${qualifier}' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: (|[a-zA-Z0-9$_-]+)`,
    );
  }
  const [, region, account, name, ownQualifier] = match;
  if (region !== undefined && region !== context.region) {
    throw notFound(`Functions from '${region}' are not reachable in this region ('${context.region}')`);
  }
  if (account !== undefined && account !== context.account && !CROSS_ACCOUNT.has(context.operation)) {
    throw accessDenied(`The function belongs to account ${account}, the request is made for ${context.account}`);
  }
  const asked = qualifier === '' ? undefined : qualifier;
  if (asked !== undefined && ownQualifier !== undefined && asked !== ownQualifier) {
    throw invalidParameter('The derived qualifier from the function name does not match the specified qualifier.');
  }
  return {
    account: account ?? context.account,
    region: context.region,
    name: name!,
    qualifier: asked ?? ownQualifier,
  };
}

/** `arn:aws:lambda:region:account:function:name[:qualifier]`. */
export function functionArn(scope: Scope, name: string, qualifier?: string): string {
  const arn = `arn:aws:lambda:${scope.region}:${scope.account}:function:${name}`;
  return qualifier === undefined || qualifier === '' ? arn : `${arn}:${qualifier}`;
}

/** Reads a full function ARN; `undefined` when it is not one. */
export function parseFunctionArn(arn: string): FunctionName | undefined {
  const match =
    /^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):function:([a-zA-Z0-9-_]+)(?::(\$LATEST|[a-zA-Z0-9-_]+))?$/.exec(
      arn,
    );
  if (!match) return undefined;
  const [, region, account, name, qualifier] = match;
  return { region: region!, account: account!, name: name!, qualifier };
}

export const isVersion = (qualifier: string): boolean => /^[0-9]+$/.test(qualifier);

export const layerArn = (scope: Scope, name: string): string =>
  `arn:aws:lambda:${scope.region}:${scope.account}:layer:${name}`;

export const layerVersionArn = (scope: Scope, name: string, version: number): string =>
  `${layerArn(scope, name)}:${version}`;

/** Reads a layer version's ARN; `undefined` when it is not one. */
export function parseLayerVersionArn(
  arn: string,
): (Scope & { readonly name: string; readonly version: number }) | undefined {
  const match = /^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]{1,140}):([0-9]+)$/.exec(arn);
  if (!match) return undefined;
  const [, region, account, name, version] = match;
  return { region: region!, account: account!, name: name!, version: Number(version) };
}
