import type {
  ConnectionAuthorizationType,
  ConnectionAuthResponseParameters,
  ConnectionHttpParameters,
  UpdateConnectionAuthRequestParameters,
} from '@aws-sdk/client-eventbridge';
import { Constraints } from '../constraints.ts';
import { invalid, invalidParameter, refused } from '../errors.ts';
import type { Credentials } from './records.ts';

/** Which parameters each type of authorization needs. */
const NEEDED = {
  API_KEY: 'ApiKeyAuthParameters',
  BASIC: 'BasicAuthParameters',
  OAUTH_CLIENT_CREDENTIALS: 'OAuthParameters',
} as const satisfies Record<ConnectionAuthorizationType, keyof Credentials>;

/** Source: API Reference, "ConnectionHttpParameters". */
const MAXIMUM_HTTP_PARAMETERS = 100;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,512}$/;

/** Throws ValidationException for parameters that do not fit the type, or are not in order. */
export function checkCredentials(type: ConnectionAuthorizationType, given: Credentials): void {
  if (given.ConnectivityParameters) {
    throw refused('ConnectivityParameters', 'Endpoints are reached over the network of this machine.');
  }
  const needed = NEEDED[type];
  for (const member of Object.values(NEEDED)) {
    if (member === needed && given[member] === undefined) {
      throw invalidParameter(`AuthParameters.${needed}`, `it is required for the authorization type ${type}.`);
    }
    if (member !== needed && given[member] !== undefined) {
      throw invalid(`Parameter AuthParameters.${member} does not go with the authorization type ${type}.`);
    }
  }
  const { ApiKeyAuthParameters: apiKey, BasicAuthParameters: basic, OAuthParameters: oauth } = given;
  const constraints = new Constraints();
  const text = (member: string, value: string | undefined) => {
    if (value === undefined) throw invalidParameter(`AuthParameters.${member}`, 'it is required.');
    constraints.length(`authParameters.${member}`, value, 1, 512);
  };
  if (apiKey) {
    text('apiKeyAuthParameters.apiKeyName', apiKey.ApiKeyName);
    checkHeader(apiKey.ApiKeyName!);
    // A secret value is never repeated in an error.
    if (!isSecretText(apiKey.ApiKeyValue)) throw secretLength('ApiKeyAuthParameters.ApiKeyValue');
  }
  if (basic) {
    text('basicAuthParameters.username', basic.Username);
    if (!isSecretText(basic.Password)) throw secretLength('BasicAuthParameters.Password');
  }
  if (oauth) {
    text('oAuthParameters.clientParameters.clientID', oauth.ClientParameters?.ClientID);
    if (!isSecretText(oauth.ClientParameters?.ClientSecret))
      throw secretLength('OAuthParameters.ClientParameters.ClientSecret');
    constraints
      .length('authParameters.oAuthParameters.authorizationEndpoint', oauth.AuthorizationEndpoint, 1, 2048)
      .oneOf('authParameters.oAuthParameters.httpMethod', oauth.HttpMethod, ['GET', 'POST', 'PUT']);
    if (oauth.HttpMethod === undefined)
      throw invalidParameter('AuthParameters.OAuthParameters.HttpMethod', 'it is required.');
    checkHttpParameters('oAuthParameters.oAuthHttpParameters', oauth.OAuthHttpParameters);
  }
  checkHttpParameters('invocationHttpParameters', given.InvocationHttpParameters);
  constraints.check();
}

/** The parameters as they are after an update that names only what changes. */
export function merge(before: Credentials, given: UpdateConnectionAuthRequestParameters): Credentials {
  const oauth = given.OAuthParameters;
  return {
    ...before,
    ...given,
    ...(given.ApiKeyAuthParameters && {
      ApiKeyAuthParameters: { ...before.ApiKeyAuthParameters, ...given.ApiKeyAuthParameters },
    }),
    ...(given.BasicAuthParameters && {
      BasicAuthParameters: { ...before.BasicAuthParameters, ...given.BasicAuthParameters },
    }),
    ...(oauth && {
      OAuthParameters: {
        ...before.OAuthParameters,
        ...oauth,
        ClientParameters: { ...before.OAuthParameters?.ClientParameters, ...oauth.ClientParameters },
      },
    }),
  } as Credentials;
}

/** What DescribeConnection tells: no passwords, keys, client secrets, nor values that are called secret. */
export function withoutSecrets(credentials: Credentials): ConnectionAuthResponseParameters {
  const { ApiKeyAuthParameters: apiKey, BasicAuthParameters: basic, OAuthParameters: oauth } = credentials;
  const invocation = credentials.InvocationHttpParameters;
  return {
    ...(apiKey && { ApiKeyAuthParameters: { ApiKeyName: apiKey.ApiKeyName } }),
    ...(basic && { BasicAuthParameters: { Username: basic.Username } }),
    ...(oauth && {
      OAuthParameters: {
        ClientParameters: { ClientID: oauth.ClientParameters!.ClientID },
        AuthorizationEndpoint: oauth.AuthorizationEndpoint,
        HttpMethod: oauth.HttpMethod,
        ...(oauth.OAuthHttpParameters && { OAuthHttpParameters: shownParameters(oauth.OAuthHttpParameters) }),
      },
    }),
    ...(invocation && { InvocationHttpParameters: shownParameters(invocation) }),
  };
}

/** An endpoint of a connection or an API destination: HTTPS, and HTTP on this machine. Throws ValidationException. */
export function checkEndpoint(member: string, text: string, local: boolean): void {
  const url = URL.parse(text.replaceAll('*', 'x'));
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.hash !== '') {
    throw invalidParameter(member, 'it is not an HTTPS endpoint.');
  }
  if (url.protocol === 'https:' || (local && /^(localhost|.+\.localhost|127\..+|\[::1\])$/.test(url.hostname))) return;
  throw invalidParameter(member, 'it is an HTTPS endpoint; HTTP is for endpoints on this machine.');
}

function shownParameters(given: ConnectionHttpParameters): ConnectionHttpParameters {
  const shown = <
    T extends { Key?: string | undefined; Value?: string | undefined; IsValueSecret?: boolean | undefined },
  >(
    parameters: readonly T[],
  ) => parameters.map((parameter) => (parameter.IsValueSecret ? { ...parameter, Value: undefined } : parameter));
  return {
    ...(given.HeaderParameters && { HeaderParameters: shown(given.HeaderParameters) }),
    ...(given.QueryStringParameters && { QueryStringParameters: shown(given.QueryStringParameters) }),
    ...(given.BodyParameters && { BodyParameters: shown(given.BodyParameters) }),
  };
}

function checkHttpParameters(member: string, given: ConnectionHttpParameters | undefined): void {
  const { BodyParameters: body, HeaderParameters: headers, QueryStringParameters: query } = given ?? {};
  new Constraints()
    .count(`authParameters.${member}.bodyParameters`, body, 0, MAXIMUM_HTTP_PARAMETERS)
    .count(`authParameters.${member}.headerParameters`, headers, 0, MAXIMUM_HTTP_PARAMETERS)
    .count(`authParameters.${member}.queryStringParameters`, query, 0, MAXIMUM_HTTP_PARAMETERS)
    .check();
  for (const { Key, Value } of headers ?? []) {
    checkHeader(Key ?? '');
    if (/[\r\n\0]/.test(Value ?? ''))
      throw invalidParameter('HeaderParameters', `the value of ${Key} has a line break.`);
  }
}

/** Throws ValidationException for what cannot be the name of a header. */
export function checkHeader(name: string): void {
  if (!HEADER_NAME.test(name)) throw invalidParameter('HeaderParameters', `${name} is not the name of a header.`);
}

const isSecretText = (value: string | undefined) =>
  value !== undefined && value.length >= 1 && value.length <= 512 && !/[\r\n\0]/.test(value);

function secretLength(member: string) {
  return invalidParameter(`AuthParameters.${member}`, 'it is 1 to 512 characters without line breaks.');
}
