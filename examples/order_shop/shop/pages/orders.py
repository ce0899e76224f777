"""Pages to place an order and to look at it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.exc import NoResultFound

from shop import catalogue, orders, stage
from shop.order_form import OrderForm
from shop.pages import MAX_ID, templates

router = APIRouter(prefix="/orders")


@router.get("/new", response_class=HTMLResponse)
def new_order(request: Request) -> HTMLResponse:
    """An empty form."""
    return _form_page(request, OrderForm(email=catalogue.current_user().email), errors=())


@router.post("")
def create_order(
    request: Request,
    product_id: Annotated[str, Form()] = "",
    quantity: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
) -> Response:
    """Place the order, and go to its page; or show the form again, with what is wrong."""
    form = OrderForm(product_id, quantity, email, address)
    product = catalogue.find_product(form.product_number)
    errors = form.errors(product)
    if errors or product is None:
        return _form_page(request, form, errors)
    order = form.order(product, catalogue.current_user())
    stage.create_order(order)
    return RedirectResponse(f"/orders/{order.id}", status_code=303)


@router.get("/{order_id}", response_class=HTMLResponse)
def show_order(request: Request, order_id: Annotated[int, Path(ge=1, le=MAX_ID)]) -> HTMLResponse:
    """One order, and how far it is."""
    try:
        order = orders.find(order_id)
    except NoResultFound:
        raise HTTPException(404, f"There is no order {order_id}.") from None
    return templates.TemplateResponse(request, "order.html", {"order": order})


def _form_page(request: Request, form: OrderForm, errors: tuple[str, ...]) -> HTMLResponse:
    facts = {"form": form, "errors": errors, "products": catalogue.available_products()}
    return templates.TemplateResponse(request, "new_order.html", facts, status_code=422 if errors else 200)
