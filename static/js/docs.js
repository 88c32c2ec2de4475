// Swagger UI on our own page: the bundle and its options come from files, as the policy demands.
document.addEventListener("DOMContentLoaded", () => {
  const place = document.querySelector("#swagger");
  window.SwaggerUIBundle({
    domNode: place,
    url: place.dataset.url,
    deepLinking: true,
    persistAuthorization: false,
    validatorUrl: null,
  });
});
