"""Second tries are few."""

from inhouse.routing.retries import EARNED, SAVED, RetryBudget


def spent(budget: RetryBudget, tries: int) -> int:
    return sum(budget.spend() for _ in range(tries))


def test_an_outage_spends_the_stock_and_then_a_tenth() -> None:
    budget = RetryBudget()
    assert spent(budget, 100) == SAVED
    tries = 0
    for _ in range(1000):
        budget.earn()
        tries += budget.spend()
    assert abs(tries - 1000 * EARNED) <= 1


def test_quiet_times_fill_the_stock_again_and_not_over() -> None:
    budget = RetryBudget()
    spent(budget, 100)
    for _ in range(1000):
        budget.earn()
    assert spent(budget, 100) == SAVED
