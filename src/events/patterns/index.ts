export { compileEventPattern, type EventPattern, type PatternDialect } from './event-pattern.ts';
export { compileFilterPolicy, type FilterPolicy, type FilterPolicyScope } from './filter-policy.ts';
export { InvalidPatternError } from './invalid-pattern-error.ts';
export { RuleIndex } from './rule-index.ts';
