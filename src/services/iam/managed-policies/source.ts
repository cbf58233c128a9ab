/** A policy that AWS manages: where it is and what it allows. */
export interface ManagedPolicySource {
  readonly name: string;
  readonly path: string;
  readonly statements: readonly object[];
}

export const allow = (
  actions: readonly string[] | string,
  resource: readonly string[] | string = '*',
  condition?: object,
): object => ({
  Effect: 'Allow',
  Action: actions,
  Resource: resource,
  ...(condition ? { Condition: condition } : {}),
});
export const policy = (path: string, name: string, ...statements: object[]): ManagedPolicySource => ({
  path,
  name,
  statements,
});

export const LOG_WRITING = ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'];
export const NETWORK_INTERFACES = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];
export const IMAGE_PULLING = [
  'ecr:GetAuthorizationToken',
  'ecr:BatchCheckLayerAvailability',
  'ecr:GetDownloadUrlForLayer',
  'ecr:BatchGetImage',
];
export const passRoleTo = (service: string): object =>
  allow('iam:PassRole', '*', { StringEquals: { 'iam:PassedToService': service } });
