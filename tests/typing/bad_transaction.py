"""What a type checker must refuse of transactions, on exactly the lines marked. Never executed."""

from pillion import Job, job


class Later(Job, transactional_push="later"):  # E
    def perform(self) -> None: ...


class CompleteOrder(Job, transactional_push=True):
    def perform(self, order_id: int) -> None: ...


CompleteOrder.set(transactional_push=1)  # E
CompleteOrder.set(transactional_push=False).perform_async("1")  # E

job(transactional_push="no")  # E
