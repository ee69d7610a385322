"""What the tests do with a page: wait for it, find, click, read."""


def wait(browser, condition, seconds=120):
    from selenium.common.exceptions import ElementClickInterceptedException, StaleElementReferenceException
    from selenium.webdriver.support.ui import WebDriverWait

    redrawn = (StaleElementReferenceException, ElementClickInterceptedException)
    return WebDriverWait(browser, seconds, ignored_exceptions=redrawn).until(condition)


def find(browser, xpath, seconds=120):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.expected_conditions import element_to_be_clickable

    return wait(browser, element_to_be_clickable((By.XPATH, xpath)), seconds)


def click(browser, xpath):
    """Click, and again if the page was drawn anew meanwhile."""
    wait(browser, lambda _: find(browser, xpath).click() or True)


def shown_text(browser):
    """All text that stands on the page."""
    return browser.execute_script("return document.body.innerText")
