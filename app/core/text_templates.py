"""Texts in templates: ``{{ _("Save") }}``, ``{% trans %}``, ``ngettext``, in one language each.

Messages may hold markup (catalogues are code); the values put into them are escaped.
"""

from typing import Any

from jinja2 import Environment, pass_eval_context
from jinja2.nodes import Call, CondExpr, Const, EvalContext, Name, Node, Template
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from app.core.texts import ENGLISH, catalogues, translated, translated_count

EXTENSION = "jinja2.ext.i18n"
PLAIN_TEXT = ".txt"


@pass_eval_context
def gettext(shown: EvalContext, message: str, /, **values: Any) -> str:  # what a template has
    text = translated(message)
    return (Markup(text) if shown.autoescape else text) % values  # noqa: S704  (a text of ours)


@pass_eval_context
def ngettext(
    shown: EvalContext,
    one: str,
    many: str,
    num: int,
    /,
    **values: Any,  # as above
) -> str:
    text = translated_count(one, many, num)
    values = {"num": f"{num:,}", **values}
    return (Markup(text) if shown.autoescape else text) % values  # noqa: S704  (a text of ours)


def translate(environment: Environment) -> None:
    """Let the templates of an environment speak the language of the request."""
    environment.add_extension(EXTENSION)
    # Calls of {% trans %} then format, as these functions do.
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # set by the extension
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals |= {"_": gettext, "gettext": gettext, "ngettext": ngettext}


class Spoken(NodeTransformer):
    """Puts a translated constant where a text without values is asked for."""

    def __init__(self, language: str, is_html: bool) -> None:
        self.translations = catalogues()[language].translations
        self.is_html = is_html

    def visit_Call(self, node: Call) -> Node:  # noqa: N802  (named by Jinja)
        self.generic_visit(node)
        match node:
            case Call(
                node=Name(name="_" | "gettext"), args=[Const(value=str(text))], kwargs=[]
            ) if not (node.dyn_args or node.dyn_kwargs):
                said = self.translations.gettext(text) % {}
                shown = Markup(said) if self.is_html else said  # noqa: S704  (a text of ours)
                return Const(shown, lineno=node.lineno)
        return node

    def visit_CondExpr(self, node: CondExpr) -> Node:  # noqa: N802  (named by Jinja)
        """Without ``else`` there is nothing to show: Jinja makes an object of its own for that,
        which takes an exception to be shown.
        """
        self.generic_visit(node)
        node.expr2 = node.expr2 or Const("", lineno=node.lineno)
        return node


class TextEnvironment(Environment):
    """Compiles each template in its language, so that most texts cost nothing to show."""

    language = ENGLISH

    def _generate(
        self, source: Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        """Jinja's own hook between reading a template and writing its code."""
        is_html = not (name or "").endswith(PLAIN_TEXT)
        spoken: Template = Spoken(self.language, is_html).visit(source)
        return super()._generate(spoken, name, filename, defer_init)
