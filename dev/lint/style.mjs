/**
 * Rules of this project's style that oxlint does not have. `oxlint --fix` mends what they find.
 *
 * A function of a module is a declaration; an arrow there is for a single expression, read like a formula. Inside functions everybody is free.
 */

/** `const name = (parameters): Type => {...};` as `function name(parameters): Type {...}`. */
function declarationOf({ id, init }, source) {
  const head = source.slice(init.range[0], init.body.range[0]);
  const signature = head.slice(0, head.lastIndexOf('=>')).trimEnd();
  const afterAsync = init.async ? signature.replace(/^async\s*/, '') : signature;
  return `${init.async ? 'async ' : ''}function ${id.name}${afterAsync} ${source.slice(...init.body.range)}`;
}

const functionDeclarations = {
  meta: { type: 'suggestion', fixable: 'code' },
  create: (context) => ({
    VariableDeclaration(node) {
      const inModule = ['Program', 'ExportNamedDeclaration'].includes(node.parent.type);
      const [declarator] = node.declarations;
      if (!inModule || node.declarations.length !== 1 || declarator.id.type !== 'Identifier') return;
      // With a type of its own it says more than a declaration can.
      if (declarator.init?.type !== 'ArrowFunctionExpression' || declarator.id.typeAnnotation) return;
      if (declarator.init.body.type !== 'BlockStatement') return;
      context.report({
        node: declarator.id,
        message: `Declare ${declarator.id.name} with function: an arrow at module level is for a single expression.`,
        fix: (fixer) => fixer.replaceText(node, declarationOf(declarator, context.sourceCode.text)),
      });
    },
  }),
};

export default { meta: { name: 'style' }, rules: { 'function-declarations': functionDeclarations } };
