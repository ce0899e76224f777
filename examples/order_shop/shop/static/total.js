// The live total of the order form.
const form = document.querySelector("form");

function showTotal() {
  const product = form.elements.product_id.selectedOptions[0];
  const cents = product ? product.dataset.cents * form.elements.quantity.value : 0;
  const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
  form.querySelector("[data-total]").textContent = dollars.format(cents / 100);
}

form.addEventListener("input", showTotal);
showTotal();
